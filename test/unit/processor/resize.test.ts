/** What resizing does besides the pixels, which pixels.test.ts and native/test/resize-test.cpp compare with Pillow's. */
import { loadAddon } from '../../../src/native/load-addon.js';
import { nativeWork } from '../../../src/native/native-call.js';
import { resize } from '../../../src/processor/resize.js';

const picture = (width: number, height: number) => ({ data: new Uint8Array(width * height * 3), width, height });

describe('resize', () => {
  it('gives a picture that has the size as it is', async () => {
    const image = picture(5, 4);
    expect(await resize(image, 5, 4, undefined)).toBe(image);
  });

  it('leaves the JavaScript thread free and ends when the signal aborts', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const resized = resize(picture(6000, 6000), 5000, 5000, controller.signal);
    setImmediate(() => controller.abort(reason));
    await expect(resized).rejects.toBe(reason);
  });
});

describe('resizeImage of the addon', () => {
  const { addon } = loadAddon();
  const call = (data: unknown, ...sizes: number[]) => {
    const [width = 2, height = 2, newWidth = 1, newHeight = 1] = sizes;
    return nativeWork(addon, undefined, cancel =>
      addon.resizeImage(data as Uint8Array, width, height, newWidth, newHeight, cancel),
    );
  };

  it.each<[string, () => Promise<unknown>, string]>([
    ['too few bytes', () => call(new Uint8Array(11)), 'data'],
    ['another kind of array', () => call(new Float32Array(12)), 'data'],
    ['no array', () => call('pixels'), 'data'],
    ['no width', () => call(new Uint8Array(0), 0, 2), 'width'],
    ['half a pixel', () => call(new Uint8Array(12), 2, 2, 0.5), 'newWidth'],
    ['a side beyond all pictures', () => call(new Uint8Array(12), 2, 2, 1, 2 ** 30), 'newHeight'],
  ])('refuses %s', async (_, start, name) => {
    await expect(start()).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining(name) as string,
    });
  });
});
