/** A picture as a phone or camera gives it: a JPEG of 4000 x 3000 pixels with shapes, gradients and grain, the same on every machine. */
import { existsSync } from 'node:fs';
import sharp from 'sharp';

const WIDTH = 4000;
const HEIGHT = 3000;

function pixels() {
  const data = Buffer.alloc(WIDTH * HEIGHT * 3);
  let state = 1;
  for (let y = 0, at = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const grain = (state >>> 24) / 16;
      const wave = 40 * Math.sin(x / 150) * Math.cos(y / 120);
      const disc = (x - 2250) ** 2 + (y - 1250) ** 2 < 625 ** 2 ? 70 : 0;
      data[at++] = 60 + (x * 80) / WIDTH + wave + disc + grain;
      data[at++] = 70 + (y * 80) / HEIGHT + wave + grain;
      data[at++] = 150 - (y * 60) / HEIGHT - disc + grain;
    }
  }
  return data;
}

/** Writes the picture where there is none. */
export async function ensurePhoto(path) {
  if (existsSync(path)) return;
  const raw = { width: WIDTH, height: HEIGHT, channels: 3 };
  await sharp(pixels(), { raw }).jpeg({ quality: 90 }).toFile(path);
}
