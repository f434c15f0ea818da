/** Prompts of the InstructBLIP paper (appendix E) and of LAVIS, word for word. Where the paper writes `<Image>`, the picture's soft tokens come: no text. */
import { OptionError } from './errors.js';

/** What LAVIS shows of the texts that OCR found. */
const MOST_OCR_TOKENS = 30;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** The first 30, joined by commas, as LAVIS writes them. */
export const joinOcrTokens = (tokens: readonly string[]): string => tokens.slice(0, MOST_OCR_TOKENS).join(', ');

/** `(a) cat (b) dog`, as LAVIS writes them. @throws OPTION_INVALID for more than the alphabet has letters */
export function joinChoices(choices: readonly string[]): string {
  if (choices.length > LETTERS.length)
    throw new OptionError('OPTION_INVALID', `choices must be at most ${LETTERS.length}, but are ${choices.length}`);
  return choices.map((choice, i) => `(${LETTERS[i]}) ${choice}`).join(' ');
}

/**
 * The prompts with which InstructBLIP was trained and tested: it answers best when it is asked like this.
 *
 * @example
 * await blip.ask('photo.jpg', PROMPTS.vqa('What colour is the car?'));
 */
export const PROMPTS = {
  /** LAVIS: captions. */
  caption: 'A short image caption.',
  /** LAVIS: captions of videos. */
  videoCaption: 'a short description',
  /** Paper: NoCaps, Flickr30K. */
  description: 'A short image description:',
  /** Paper: GQA, VizWiz, iVQA, MSVD, MSRVTT. */
  vqa: (question: string): string => `Question: ${question} Short answer:`,
  /** LAVIS' own form of `vqa`, with a capital A. */
  vqaLavis: (question: string): string => `Question: ${question} Short Answer:`,
  /** Paper: TextVQA. The first 30 texts that OCR found. */
  textVqa: (ocrTokens: readonly string[], question: string): string =>
    `OCR tokens: ${joinOcrTokens(ocrTokens)}. Question: ${question} Short answer:`,
  /** Paper: IconQA. */
  iconQa: (question: string, choices: readonly string[]): string =>
    `Question: ${question} Options: ${joinChoices(choices)}. Short answer:`,
  /** Paper: ScienceQA. */
  scienceQa: (context: string, question: string, choices: readonly string[]): string =>
    `Context: ${context} Question: ${question} Options: ${joinChoices(choices)}. Answer:`,
  /** Paper: Visual Spatial Reasoning. */
  statement: (statement: string): string =>
    `Based on the image, is this statement true or false? "${statement}" Answer:`,
  /** Paper: HatefulMemes. */
  hatefulMeme: (text: string): string => `This is an image with: "${text}" written on it. Is it hateful? Answer:`,
  /** Paper: Visual Dialog. */
  dialog: (history: string, question: string): string =>
    `Dialog history: ${history}\n Question: ${question} Short answer:`,
  /** LAVIS: SNLI-VE. */
  entailment: (hypothesis: string): string => `given the image respond to ${hypothesis}`,
} as const;
