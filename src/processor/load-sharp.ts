/** sharp, loaded with the first picture: it takes longer to load than all of this package. */
export const loadSharp = async () => (await import('sharp')).default;
