/** For a question where a workspace fits, when no image is chosen: the answer depends on an image only where nodes already have it. */
export const anyImage = "any@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
