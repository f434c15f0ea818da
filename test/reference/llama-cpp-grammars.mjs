/**
 * llama.cpp's own grammars, and its tests of GBNF and of JSON schemas, as data: `node test/reference/llama-cpp-grammars.mjs`.
 * Reads the engine's source in .engine/ (MIT) and writes test/fixtures/grammars/llama-cpp.json.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const VERSION = '3.22.1';
const engine = join('.engine', `llama.cpp-${VERSION}`);
const source = readFileSync(join(engine, 'tests', 'test-grammar-integration.cpp'), 'utf8');

/** C++ tokens that matter: strings (neighbours joined), braces, commas, the end of the call. */
class Reader {
  at;
  constructor(at) {
    this.at = at;
  }
  skip() {
    const space = /(?:\s|\/\/[^\n]*\n|\/\*[\s\S]*?\*\/)*/y;
    space.lastIndex = this.at;
    this.at += space.exec(source)[0].length;
  }
  string() {
    let text = '';
    for (;;) {
      this.skip();
      const raw = /R"([^(]*)\(([\s\S]*?)\)\1"/y;
      const plain = /"((?:[^"\\]|\\[\s\S])*)"/y;
      raw.lastIndex = plain.lastIndex = this.at;
      const found = raw.exec(source);
      const quoted = found ? null : plain.exec(source);
      if (!found && !quoted) return text;
      text += found ? found[2] : unescaped(quoted[1]);
      this.at += (found ?? quoted)[0].length;
    }
  }
  take(wanted) {
    this.skip();
    if (source[this.at] !== wanted) return false;
    this.at++;
    return true;
  }
  list() {
    const texts = [];
    if (!this.take('{')) throw new Error(`no list: ${source.slice(this.at, this.at + 60)}`);
    while (!this.take('}')) {
      const before = this.at;
      texts.push(this.string());
      this.take(',');
      if (this.at === before) throw new Error(`no text: ${source.slice(this.at, this.at + 60)}`);
    }
    return texts;
  }
}

function unescaped(text) {
  const simple = { n: '\n', t: '\t', r: '\r', '\\': '\\', '"': '"', "'": "'", 0: '\0' };
  return text.replace(/\\(x[0-9a-fA-F]+|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[\s\S])/g, (_, code) => {
    if (/^[xuU]./.test(code)) return String.fromCodePoint(Number.parseInt(code.slice(1), 16));
    return simple[code];
  });
}

/** Without those about tokens, which a grammar here does not know. */
function callsOf(name) {
  return [...source.matchAll(new RegExp(`\\n    ${name}\\(`, 'g'))].flatMap(match => {
    const call = source.slice(match.index, source.indexOf('\n    );', match.index));
    if (/\btoken\(/.test(call)) return [];
    const reader = new Reader(match.index + match[0].length);
    const parts = [reader.string()];
    while (reader.take(',')) {
      reader.skip();
      parts.push(source[reader.at] === '{' ? reader.list() : reader.string());
    }
    const [title, given, accepted, refused] = parts;
    return { title, given, accepted, refused };
  });
}

const grammars = Object.fromEntries(
  readdirSync(join(engine, 'grammars'))
    .filter(name => name.endsWith('.gbnf'))
    .map(name => [name, readFileSync(join(engine, 'grammars', name), 'utf8')]),
);
const fixture = { version: VERSION, grammars, gbnf: callsOf('test_grammar'), schemas: callsOf('test_schema') };
writeFileSync('test/fixtures/grammars/llama-cpp.json', `${JSON.stringify(fixture, null, 1)}\n`);
console.log(Object.keys(grammars).length, fixture.gbnf.length, fixture.schemas.length);
