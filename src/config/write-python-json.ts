/** Python's `json.dumps(value, indent=2, sort_keys=True)`. */
import { type Dict, Float, IntDict, type PythonValue } from './python-json.js';

/** Python's `repr`: JavaScript's digits, but exponents from 1e-05 down and 1e+16 up, of at least two digits. */
function floatText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [digits, power] = value.toExponential().split('e') as [string, string];
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16)
    return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  // Without an exponent both languages write alike, apart from numbers below 1e-6, which are not here, and the `.0`.
  return Number.isInteger(value) ? `${BigInt(value)}.0` : String(value);
}

function numberText(value: number | bigint | Float): string {
  if (value instanceof Float) return floatText(value.value);
  if (typeof value === 'bigint') return String(value);
  return Number.isInteger(value) && !Object.is(value, -0) ? String(BigInt(value)) : floatText(value);
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
};

/** ASCII only, as Python: each UTF-16 unit on its own. */
const stringText = (value: string): string =>
  `"${value.replace(
    /["\\]|[^ -~]/g,
    unit => SHORT_ESCAPES[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )}"`;

/** Python sorts by code point, JavaScript by UTF-16 unit. */
function compareKeys(a: string, b: string): number {
  const [x, y] = [[...a], [...b]];
  const at = x.findIndex((character, i) => character !== y[i]);
  if (at < 0) return x.length - y.length;
  return at < y.length ? x[at]!.codePointAt(0)! - y[at]!.codePointAt(0)! : 1;
}

const compareInts = (a: string, b: string): number => (BigInt(a) < BigInt(b) ? -1 : 1);

/** Keys in the order in which Python's `sort_keys` writes them. */
export const sortedKeys = (dict: Dict): string[] =>
  [...dict.keys()].sort(dict instanceof IntDict ? compareInts : compareKeys);

function block(open: string, close: string, lines: readonly string[], indent: string): string {
  if (lines.length === 0) return open + close;
  return `${open}\n${lines.map(line => `${indent}  ${line}`).join(',\n')}\n${indent}${close}`;
}

/** Text without a newline at its end. */
export function writePythonJson(value: PythonValue, indent = ''): string {
  const inner = (element: PythonValue) => writePythonJson(element, `${indent}  `);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return stringText(value);
  if (value instanceof Map) {
    const lines = sortedKeys(value).map(key => `${stringText(key)}: ${inner(value.get(key)!)}`);
    return block('{', '}', lines, indent);
  }
  if (Array.isArray(value)) return block('[', ']', value.map(inner), indent);
  return numberText(value as number | bigint | Float);
}
