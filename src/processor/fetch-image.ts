import { createError, type InstructBlipError } from '../errors.js';
import type { ImageLimits } from './image-limits.js';
import { shorten } from './shorten.js';

const REDIRECTS = [301, 302, 303, 307, 308];

export const tooManyBytes = (name: string, limit: number, size?: number): InstructBlipError =>
  createError(
    'IMAGE_TOO_LARGE',
    `${name} ${size === undefined ? 'is over' : `has ${size} bytes, over`} the limit of ${limit} bytes: make the picture smaller`,
  );

/**
 * The body behind an http(s) URL. Reading stops at the limit; the time-out is for everything together.
 * @throws IMAGE_FETCH_FAILED, IMAGE_TOO_LARGE, or the signal's reason
 */
export async function fetchImage(href: string, limits: ImageLimits, signal?: AbortSignal): Promise<Uint8Array> {
  const stop = new AbortController();
  const timer = setTimeout(
    () => stop.abort(failed(href, `took longer than ${limits.fetchTimeout} ms`)),
    limits.fetchTimeout,
  );
  const follow = () => stop.abort(signal?.reason);
  signal?.addEventListener('abort', follow, { once: true });
  try {
    signal?.throwIfAborted();
    const response = await request(href, limits, stop.signal);
    return await readBody(href, response, limits);
  } catch (error) {
    if (stop.signal.aborted) throw stop.signal.reason;
    signal?.throwIfAborted();
    if ((error as { code?: string }).code?.startsWith('IMAGE_')) throw error;
    throw failed(href, reasonOf(error), error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', follow);
    // Closes the connection when reading ended early.
    stop.abort();
  }
}

function failed(href: string, reason: string, cause?: unknown): InstructBlipError {
  const message = `'${shorten(href)}' could not be fetched: ${reason}; check the URL, or fetch it yourself and give the bytes`;
  return createError('IMAGE_FETCH_FAILED', message, { cause });
}

/** fetch says only "fetch failed"; what happened is its cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  return shorten(
    cause instanceof Error || typeof (cause as Error)?.message === 'string' ? (cause as Error).message : message,
  );
}

/** Follows redirects itself: a bounded number, and to http(s) only. */
async function request(href: string, limits: ImageLimits, signal: AbortSignal): Promise<Response> {
  let url = href;
  for (let hops = 0; hops <= limits.redirects; hops++) {
    const response = await fetch(url, { redirect: 'manual', signal, headers: { accept: 'image/*' } });
    const location = response.headers.get('location');
    if (!REDIRECTS.includes(response.status) || location === null) {
      if (!response.ok) throw failed(href, `the server answered ${response.status} ${shorten(response.statusText)}`);
      return response;
    }
    await response.body?.cancel();
    url = new URL(location, url).href;
    if (!/^https?:/i.test(url)) throw failed(href, `it leads to '${shorten(url)}', which is not http(s)`);
  }
  throw failed(href, `more than ${limits.redirects} redirects`);
}

async function readBody(href: string, response: Response, limits: ImageLimits): Promise<Uint8Array> {
  const name = `'${shorten(href)}'`;
  const announced = Number(response.headers.get('content-length') ?? 0);
  if (announced > limits.bytes) throw tooManyBytes(name, limits.bytes, announced);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > limits.bytes) throw tooManyBytes(name, limits.bytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
