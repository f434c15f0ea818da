/**
 * Ranges [first, last] of a set of bert-characters.ts or byte-level-characters.ts. Each item of the set is a range in base 36, `gap` or `gap.length`:
 * code points skipped since the last range, and how many are in this one.
 */
export function codePointRanges(set: string): readonly (readonly [number, number])[] {
  let point = 0;
  return set.split(' ').map(item => {
    const [gap, count = '1'] = item.split('.');
    const first = point + Number.parseInt(gap as string, 36);
    point = first + Number.parseInt(count, 36);
    return [first, point - 1];
  });
}
