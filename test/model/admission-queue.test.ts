import { AdmissionQueue } from '../../src/model/admission-queue.js';

const never = new AbortController().signal;

/** Notes in which order calls get in. */
function watched(queue: AdmissionQueue) {
  const order: string[] = [];
  const enter = (name: string, cells: number, signal = never) =>
    queue.acquire(cells, 1, signal).then(giveBack => {
      order.push(name);
      return giveBack;
    });
  return { order, enter };
}
const settle = () => new Promise(resolve => setImmediate(resolve));

describe('AdmissionQueue', () => {
  it('lets calls in while there is room for cells and sequences', async () => {
    const { order, enter } = watched(new AdmissionQueue(100, 2));
    const first = await enter('a', 10);
    await enter('b', 10);
    const third = enter('c', 10);
    await settle();
    expect(order).toEqual(['a', 'b']);
    first();
    await third;
    expect(order).toEqual(['a', 'b', 'c']);
  });

  it('lets nobody overtake: a small call waits behind a large one', async () => {
    const { order, enter } = watched(new AdmissionQueue(100, 9));
    const first = await enter('a', 60);
    const large = enter('large', 80);
    const small = enter('small', 10);
    await settle();
    expect(order).toEqual(['a']);
    first();
    await Promise.all([large, small]);
    expect(order).toEqual(['a', 'large', 'small']);
  });

  it('a newcomer does not slip in while others wait', async () => {
    const { order, enter } = watched(new AdmissionQueue(10, 9));
    const first = await enter('a', 10);
    const second = enter('b', 10);
    first();
    const third = enter('c', 1);
    (await second)();
    await third;
    expect(order).toEqual(['a', 'b', 'c']);
  });

  it('giving back twice counts once', async () => {
    const queue = new AdmissionQueue(10, 2);
    const { order, enter } = watched(queue);
    const first = await enter('a', 6);
    await enter('b', 4);
    first();
    first();
    await enter('c', 6);
    void enter('d', 5);
    await settle();
    expect(order).toEqual(['a', 'b', 'c']);
  });

  it('one that leaves lets those behind it in', async () => {
    const { order, enter } = watched(new AdmissionQueue(100, 9));
    await enter('a', 60);
    const controller = new AbortController();
    const large = enter('large', 80, controller.signal);
    const small = enter('small', 10);
    controller.abort(new Error('enough'));
    await expect(large).rejects.toThrow('enough');
    await small;
    expect(order).toEqual(['a', 'small']);
  });

  it('refuses what never fits, with both numbers', async () => {
    const queue = new AdmissionQueue(100, 2);
    const refusal = (message: RegExp) => ({ code: 'CONTEXT_LENGTH_EXCEEDED', message: expect.stringMatching(message) });
    await expect(queue.acquire(101, 1, never)).rejects.toMatchObject(refusal(/101 cells .* there are 100/));
    await expect(queue.acquire(1, 3, never)).rejects.toMatchObject(refusal(/3 sequences .* there are 2/));
  });
});
