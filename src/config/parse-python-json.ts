/** Python's `json.loads`, with everything that it keeps and JSON.parse drops. */
import { checkLevel, Dict, Float, type PythonValue } from './python-json.js';

const TOKEN =
  /[ \t\n\r]*(?:([{}[\],:])|("[^"\\]*(?:\\.[^"\\]*)*")|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|(null|true|false|NaN|-?Infinity))/y;

const WORDS: Readonly<Record<string, PythonValue>> = {
  null: null,
  true: true,
  false: false,
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

function numberOf(text: string): PythonValue {
  const value = Number(text);
  if (/[.eE]/.test(text)) return Number.isInteger(value) ? new Float(value) : value;
  if (value === 0) return 0;
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

class Parser {
  private position = 0;

  constructor(private readonly text: string) {}

  document(): PythonValue {
    const value = this.value(this.next(), 0);
    if (!/^[ \t\n\r]*$/.test(this.text.slice(this.position))) this.fail('the end');
    return value;
  }

  private fail(expected: string): never {
    const line = this.text.slice(0, this.position).split('\n').length;
    throw new SyntaxError(`${expected} is expected in line ${line}, after ${this.position} characters`);
  }

  private next(): string {
    TOKEN.lastIndex = this.position;
    const match = TOKEN.exec(this.text);
    if (!match) this.fail('a JSON value or sign');
    this.position = TOKEN.lastIndex;
    return match[0].trimStart();
  }

  private value(token: string, level: number): PythonValue {
    checkLevel(level, 'the JSON text');
    if (token === '{') return this.dict(level);
    if (token === '[') return this.list(level);
    if (token.startsWith('"')) return this.string(token);
    if (Object.hasOwn(WORDS, token)) return WORDS[token]!;
    if (/^[-0-9]/.test(token)) return numberOf(token);
    return this.fail('a value');
  }

  private string(token: string): string {
    try {
      return JSON.parse(token) as string;
    } catch {
      return this.fail('a sound string');
    }
  }

  /** Whether another element follows; `close` ends. */
  private more(close: string): boolean {
    const token = this.next();
    if (token !== ',' && token !== close) this.fail(`, or ${close}`);
    return token === ',';
  }

  private list(level: number): PythonValue {
    const elements: PythonValue[] = [];
    let token = this.next();
    if (token === ']') return elements;
    for (;;) {
      elements.push(this.value(token, level + 1));
      if (!this.more(']')) return elements;
      token = this.next();
    }
  }

  private dict(level: number): PythonValue {
    const dict = new Dict();
    let token = this.next();
    if (token === '}') return dict;
    for (;;) {
      if (!token.startsWith('"')) this.fail('a name in quotes');
      const key = this.string(token);
      if (this.next() !== ':') this.fail(':');
      dict.set(key, this.value(this.next(), level + 1));
      if (!this.more('}')) return dict;
      token = this.next();
    }
  }
}

/** @throws SyntaxError, saying where; CONFIG_INVALID when it is nested too deeply */
export const parsePythonJson = (text: string): PythonValue => new Parser(text).document();
