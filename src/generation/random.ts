/**
 * The generator behind sampling: sfc32 (Chris Doty-Humphrey's Small Fast Counter, 128 bits of state, passes PractRand), its state filled from the
 * seed by splitmix32 and the first 12 outputs thrown away. The same seed gives the same numbers on every machine and in every release.
 */
export type Random = () => number;

/** The next seed-dependent 32-bit word of splitmix32. */
function splitmix32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

/** Uniform numbers in [0, 1) with 53 random bits. `seed`: integer, 0 to 2^53 - 1. */
export function seededRandom(seed: number): Random {
  const low = splitmix32(seed % 0x1_0000_0000);
  const high = splitmix32(Math.floor(seed / 0x1_0000_0000));
  let [a, b, c, counter] = [low() ^ high(), low(), high(), 1];
  const next32 = () => {
    const result = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + result;
    c |= 0;
    return result >>> 0;
  };
  for (let i = 0; i < 12; i++) next32();
  return () => ((next32() >>> 5) * 0x400_0000 + (next32() >>> 6)) / 0x20_0000_0000_0000;
}
