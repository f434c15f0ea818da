/** The C++ programs of the bench compile and link, which no test does. */
import { engineLibraries, PROGRAMS } from '../bench/lib/native-tools.mjs';

if (engineLibraries() === null) console.log('no built engine here: the programs of the bench are not built');
else for (const build of Object.values(PROGRAMS)) console.log(build());
