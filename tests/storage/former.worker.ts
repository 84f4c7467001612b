/** As the storage worker was before it said which version it speaks: it answers, and that is all. */
addEventListener("message", ({ data }: MessageEvent<{ id: number }>) => {
  postMessage({ id: data.id, value: undefined });
});
