import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { ImageProcessor } from '../../../src/processor/image-processor.js';
import { FIXTURES, HUB_SETTINGS, sha256 } from './support/settings.js';

const PATH = join(FIXTURES, 'exif-6.jpg');
const bytes = readFileSync(PATH);
const LIMITS = { bytes: 100_000, fetchTimeout: 300, redirects: 3 };

/** What the server does, by path. `open` counts the connections that nobody has ended. */
let open = 0;
let sent = 0;
const routes: Record<string, RequestListener> = {
  '/ok': (_, response) => response.end(bytes),
  '/gone': (_, response) => response.writeHead(404).end('no'),
  '/empty': (_, response) => response.end(),
  '/page': (_, response) => response.end('<!doctype html><p>not a picture'),
  '/loop': (_, response) => response.writeHead(302, { location: '/loop' }).end(),
  '/moved': (_, response) => response.writeHead(307, { location: 'moved/again' }).end(),
  '/moved/again': (_, response) => response.writeHead(301, { location: '/ok' }).end(),
  '/to-file': (_, response) => response.writeHead(302, { location: `file://${PATH}` }).end(),
  '/announced': (_, response) => response.writeHead(200, { 'content-length': 200_000 }).flushHeaders(),
  '/endless': (_, response) => {
    const more = () => {
      if (response.destroyed) return;
      sent += 50_000;
      response.write(Buffer.alloc(50_000), more);
    };
    more();
  },
  '/cut': (_, response) => {
    response.writeHead(200, { 'content-length': bytes.length });
    response.write(bytes.subarray(0, 500), () => response.destroy());
  },
  '/silent': () => {},
  '/stalls': (_, response) => void response.write(bytes.subarray(0, 500)),
};

describe('URLs', () => {
  const processor = new ImageProcessor(HUB_SETTINGS, LIMITS);
  let server: Server;
  let root: string;
  const get = (path: string, signal?: AbortSignal) => processor.process(`${root}${path}`, signal);
  beforeAll(async () => {
    server = createServer((request, response) => {
      open++;
      response.on('close', () => open--);
      routes[request.url!]!(request, response);
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  // Whatever happened, no connection is left over.
  afterEach(async () => {
    for (let i = 0; i < 50 && open > 0; i++) await new Promise(resolve => setTimeout(resolve, 10));
    expect(open).toBe(0);
  });

  it.each(['/ok', '/moved'])('%s gives the pixels of the file', async path => {
    const expected = sha256(await processor.process(PATH));
    expect(sha256(await get(path))).toBe(expected);
    expect(sha256(await processor.process(new URL(`${root}${path}`)))).toBe(expected);
  });

  it.each([
    ['/gone', 'IMAGE_FETCH_FAILED', /answered 404/],
    ['/loop', 'IMAGE_FETCH_FAILED', /more than 3 redirects/],
    ['/to-file', 'IMAGE_FETCH_FAILED', /not http/],
    ['/cut', 'IMAGE_FETCH_FAILED', /could not be fetched/],
    ['/silent', 'IMAGE_FETCH_FAILED', /longer than 300 ms/],
    ['/stalls', 'IMAGE_FETCH_FAILED', /longer than 300 ms/],
    ['/announced', 'IMAGE_TOO_LARGE', /200000 bytes, over the limit of 100000/],
    ['/endless', 'IMAGE_TOO_LARGE', /over the limit of 100000/],
    ['/page', 'IMAGE_FORMAT_UNSUPPORTED', /HTML/],
    ['/empty', 'IMAGE_CORRUPT', /no bytes/],
  ])('%s: %s', async (path, code, message) => {
    const error = await get(path).catch(reason => reason);
    expect(error).toMatchObject({ name: 'ImageError', code });
    expect(error.message).toMatch(message);
    expect(error.message).toContain(root);
  });

  it('reads no further than the limit', () => {
    expect(sent).toBeLessThan(5_000_000);
  });

  it('says why nobody answered', async () => {
    await expect(processor.process('http://127.0.0.1:1/a.png')).rejects.toMatchObject({
      code: 'IMAGE_FETCH_FAILED',
      message: expect.stringMatching(/127\.0\.0\.1:1.*(ECONNREFUSED|bad port)/),
    });
  });

  it.each(['/silent', '/stalls'])('%s ends with the signal', async path => {
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 50);
    await expect(get(path, controller.signal)).rejects.toBe(reason);
  });
});
