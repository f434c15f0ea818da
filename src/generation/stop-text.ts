import { TextStream, type TokenText } from './text-stream.js';

/** Whether the text of `tokens`, an answer so far, has a stop string. `isWhole`: nothing follows, so that what may still change counts too. */
export type StopText = (tokens: readonly number[], isWhole: boolean) => boolean;

/** Asked with one token more each time: the text is read anew, which costs little beside a step of the model. null: there is nothing to look for. */
export function stopTextOf(
  stopStrings: readonly string[],
  tokenText: (id: number) => TokenText | undefined,
  cleanUpSpaces: boolean,
): StopText | null {
  if (stopStrings.length === 0) return null;
  return (tokens, isWhole) => {
    const stream = new TextStream(stopStrings, cleanUpSpaces);
    for (const id of tokens) {
      const text = tokenText(id);
      if (text) stream.push(text);
    }
    if (isWhole) stream.finish();
    return stream.stopped;
  };
}
