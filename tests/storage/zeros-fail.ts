interface Handle {
  write(bytes: Uint8Array, options: { at: number }): number;
}

const { prototype } = Reflect.get(globalThis, "FileSystemSyncAccessHandle") as {
  prototype: Handle;
};
const { write } = prototype;

prototype.write = function (bytes, options) {
  if (bytes.length > 1_000 && bytes.every((byte) => byte === 0)) {
    throw new DOMException("no zeros", "InvalidStateError");
  }
  return write.call(this, bytes, options);
};
