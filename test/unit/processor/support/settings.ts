import type { ImageSettings } from '../../../../src/processor/image-processor.js';

/** preprocessor_config.json of the hub's checkpoints. */
export const HUB_SETTINGS: ImageSettings = {
  imageSize: 224,
  imageMean: [0.48145466, 0.4578275, 0.40821073],
  imageStd: [0.26862954, 0.26130258, 0.27577711],
  rescaleFactor: 0.00392156862745098,
};
