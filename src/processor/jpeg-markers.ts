const SOS = 0xda;
const APP14 = 0xee;

/**
 * Whether a CMYK JPEG has Adobe's marker. libvips inverts such files and takes others as they are; Pillow inverts all of them.
 */
export function hasAdobeMarker(bytes: Uint8Array): boolean {
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) return false;
    const marker = bytes[at + 1] as number;
    if (marker === 0xff) {
      // Fill bytes before a marker.
      at += 1;
      continue;
    }
    if (marker === SOS) return false;
    if (marker === APP14 && Buffer.from(bytes.subarray(at + 4, at + 9)).toString('latin1') === 'Adobe') return true;
    at += 2 + ((bytes[at + 2] as number) << 8) + (bytes[at + 3] as number);
  }
  return false;
}
