/**
 * A precompiled charsmap of few rules, as SentencePiece stores it: a darts-clone double array over UTF-8, then the replacements. Bytes of one node are looked for
 * one place after another, which wastes room and nothing else.
 */
export function makeCharsmap(rules: Readonly<Record<string, string>>): Uint8Array {
  const replacements: number[] = [];
  const root: Node = { children: new Map() };
  for (const [from, to] of Object.entries(rules)) {
    let node = root;
    for (const byte of Buffer.from(from)) {
      if (!node.children.has(byte)) node.children.set(byte, { children: new Map() });
      node = node.children.get(byte) as Node;
    }
    node.value = replacements.length;
    replacements.push(...Buffer.from(to), 0);
  }
  const units = layOut(root);
  const head = Buffer.alloc(4 + 4 * units.length);
  head.writeUInt32LE(4 * units.length, 0);
  for (const [i, unit] of units.entries()) head.writeUInt32LE(unit >>> 0, 4 + 4 * i);
  return Uint8Array.from([...head, ...replacements]);
}

interface Node {
  readonly children: Map<number, Node>;
  value?: number;
}

/** Each node gets a block of 256 units of its own: the child by `byte` lies at block + byte, the value at block + 0. */
function layOut(root: Node): number[] {
  const units: number[] = [];
  let blocks = 1;
  const place = (node: Node, at: number, label: number): void => {
    const base = 256 * blocks++;
    const offset = at ^ base;
    units[at] = (offset << 10) | (node.value === undefined ? 0 : 0x100) | label;
    if (node.value !== undefined) units[base] = node.value | 0x80000000;
    for (const [byte, child] of node.children) place(child, base + byte, byte);
  };
  place(root, 0, 0);
  return Array.from({ length: 256 * blocks }, (_, i) => units[i] ?? 0);
}
