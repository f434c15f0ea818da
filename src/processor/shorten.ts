/** A caller's text, short enough for a message and without control characters. */
export function shorten(text: string, length = 80): string {
  const start = text.slice(0, length).replace(/\p{Cc}/gu, '\ufffd');
  return text.length > length ? `${start}…` : start;
}

/** What a value is, for a message: short texts and numbers as they are, anything else by its type. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return `'${shorten(value, 40)}'`;
  if (typeof value === 'object' && value !== null) return `a value of type ${value.constructor?.name ?? 'Object'}`;
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  return String(value);
}
