/** All measurements, one after the other and in turn, so that a machine whose speed drifts drifts for all. */
import { busyShare } from './machine.mjs';
import {
  canMeasureLanguageModel,
  measureLibllama,
  measureOurLanguageModel,
  measureOurs,
  measureTransformers,
} from './measure.mjs';

/** Everything that is measured in a round: `{ title, list, measure }`, where `list` takes the results. */
function measurements(options, model, photo, python, results) {
  const list = [{ title: 'instructblip', list: results.ours, measure: () => measureOurs(options, model, photo) }];
  if (canMeasureLanguageModel()) {
    const own = () => measureOurLanguageModel(options, model);
    list.push({ title: 'language model alone', list: results.languageModel, measure: own });
    const theirs = () => measureLibllama(options, model);
    if (options.libllama) list.push({ title: 'libllama', list: results.libllama, measure: theirs });
  }
  for (const dtype of python ? options.dtypes : []) {
    results.transformers[dtype] = [];
    const measure = () => measureTransformers(options, python, dtype, model, photo);
    list.push({ title: `transformers, ${dtype}`, list: results.transformers[dtype], measure });
  }
  return list;
}

/** Results of each program by round, and `busy`: what other programs took of the CPUs before each measurement. */
export async function runRounds(options, model, photo, python) {
  const results = { ours: [], languageModel: [], libllama: [], transformers: {}, busy: [] };
  const all = measurements(options, model, photo, python, results);
  for (let round = 1; round <= options.rounds; round++) {
    for (const { title, list, measure } of all) {
      const busy = await busyShare();
      results.busy.push(busy);
      console.error(
        `round ${round} of ${options.rounds}: ${title} … (others use ${Math.round(busy * 100)} % of the CPUs)`,
      );
      list.push(await measure());
    }
  }
  return results;
}
