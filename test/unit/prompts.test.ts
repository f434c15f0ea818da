import { PROMPTS } from '../../src/prompts.js';

describe('PROMPTS', () => {
  // The strings of LAVIS' projects/instructblip and of the paper's appendix E, with their {} filled.
  it.each<[string, string]>([
    [PROMPTS.caption, 'A short image caption.'],
    [PROMPTS.videoCaption, 'a short description'],
    [PROMPTS.description, 'A short image description:'],
    [PROMPTS.vqa('What is it?'), 'Question: What is it? Short answer:'],
    [PROMPTS.vqaLavis('What is it?'), 'Question: What is it? Short Answer:'],
    [PROMPTS.textVqa(['STOP', '5'], 'What?'), 'OCR tokens: STOP, 5. Question: What? Short answer:'],
    [PROMPTS.iconQa('How many?', ['1', '2']), 'Question: How many? Options: (a) 1 (b) 2. Short answer:'],
    [
      PROMPTS.scienceQa('A map.', 'Where?', ['Ohio', 'Utah']),
      'Context: A map. Question: Where? Options: (a) Ohio (b) Utah. Answer:',
    ],
    [
      PROMPTS.statement('The cat is on the mat.'),
      'Based on the image, is this statement true or false? "The cat is on the mat." Answer:',
    ],
    [PROMPTS.hatefulMeme('some text'), 'This is an image with: "some text" written on it. Is it hateful? Answer:'],
    [
      PROMPTS.dialog('is it a cat? yes.', 'What colour?'),
      'Dialog history: is it a cat? yes.\n Question: What colour? Short answer:',
    ],
    [PROMPTS.entailment('a man sleeps.'), 'given the image respond to a man sleeps.'],
  ])('%j', (made, expected) => {
    expect(made).toBe(expected);
  });

  it('shows 30 OCR tokens and has letters for 26 choices', () => {
    const many = Array.from({ length: 40 }, (_, i) => `t${i}`);
    expect(PROMPTS.textVqa(many, 'q')).toBe(`OCR tokens: ${many.slice(0, 30).join(', ')}. Question: q Short answer:`);
    expect(PROMPTS.iconQa('q', many.slice(0, 26))).toContain('(z) t25.');
    expect(() => PROMPTS.iconQa('q', many.slice(0, 27))).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringMatching(/26, but are 27/) }),
    );
  });
});
