/** Pillow 9.4's pixel conversions (libImaging/Convert.c, Unpack.c): all of them ignore colour profiles. */

export function grayToRgb(gray: Uint8Array, channels: number): Uint8Array {
  const length = gray.length / channels;
  const rgb = new Uint8Array(length * 3);
  for (let i = 0; i < length; i++) rgb.fill(gray[i * channels] as number, 3 * i, 3 * i + 3);
  return rgb;
}

/** Alpha is dropped: colours below full transparency show. */
export function withoutAlpha(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = rgba[from] as number;
    rgb[to + 1] = rgba[from + 1] as number;
    rgb[to + 2] = rgba[from + 2] as number;
  }
  return rgb;
}

/**
 * 16 bits per channel, native byte order → 8. Pillow reads the high byte, but of gray pictures it makes mode "I" (32 bits), which it clips: everything
 * above 255 is white.
 */
export function toEightBits(bytes: Uint8Array, clip: boolean): Uint8Array {
  // A copy where the bytes do not start on an even address.
  const whole = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  const values = new Uint16Array(whole.buffer, whole.byteOffset, whole.length / 2);
  return clip ? Uint8Array.from(values, value => Math.min(value, 255)) : Uint8Array.from(values, value => value >> 8);
}

/** Pillow's cmyk2rgb: (255 - c) scaled by (255 - k), with its rounding division by 255. */
export function cmykToRgb(cmyk: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    const light = 255 - (cmyk[from + 3] as number);
    for (let channel = 0; channel < 3; channel++) {
      const product = (cmyk[from + channel] as number) * light + 128;
      rgb[to + channel] = light - (((product >> 8) + product) >> 8);
    }
  }
  return rgb;
}
