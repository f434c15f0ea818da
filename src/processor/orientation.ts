import type { Metadata, Sharp } from 'sharp';
import type { ImageFormat } from './image-format.js';

/** Pillow's `exif_transpose` as sharp's operations; sharp mirrors first and turns then. */
const TURNS: Readonly<Record<number, (image: Sharp) => Sharp>> = {
  2: image => image.flop(),
  3: image => image.rotate(180),
  4: image => image.flip(),
  5: image => image.flip().rotate(90),
  6: image => image.rotate(90),
  7: image => image.flop().rotate(90),
  8: image => image.rotate(270),
};

/** The EXIF orientation, 1 to 8. Pillow 9.4 falls back to XMP, which it reads in PNG only. */
export function orientationOf({ orientation, xmp }: Metadata, format: ImageFormat): number {
  if (orientation !== undefined || format !== 'png' || !xmp) return orientation ?? 1;
  return Number(/tiff:Orientation(?:="|>)([0-9])/.exec(xmp.toString('utf8'))?.[1] ?? 1);
}

export const orient = (image: Sharp, orientation: number): Sharp => TURNS[orientation]?.(image) ?? image;
