/**
 * Runs in a page: what a replicated write costs at the least, with nothing around it. The pages of this site link up by bare WebRTC data channels; a
 * write is one strict put in this page's IndexedDB and one in that of a peer, which answers once it has it.
 */
const commandBytes = 200;
const write = 1;
const written = 2;
const forward = 3;
const done = 4;

const me = crypto.randomUUID();
const signals = new BroadcastChannel("bare");
const database = await openDatabase();
/** @type {Map<string, RTCPeerConnection>} */
const connections = new Map();
/** @type {RTCDataChannel[]} */
const links = [];
/** @type {Map<number, () => void>} */
const waiting = new Map();
let counter = 0;

signals.onmessage = ({ data }) => {
  if (data.to === undefined || data.to === me) void hear(data);
};
signals.postMessage({ from: me, kind: "here" });

globalThis.bare = {
  links: () => links.length,
  /** Resolves once this page and another have it. */
  write: replicate,
  /** The same by way of the first page that this one is linked with. */
  forward: () => ask(links[0], forward),
  /** Milliseconds that each of `count` calls took, one after the other. @param {"write" | "forward"} how @param {number} count */
  async times(how, count) {
    const took = [];
    for (let n = 0; n < count; n++) {
      const begun = performance.now();
      await globalThis.bare[how]();
      took.push(performance.now() - begun);
    }
    return took;
  },
};

async function hear({ from, kind, description }) {
  if (kind === "here") {
    const connection = connect(from);
    open(connection.createDataChannel("bare"));
    await connection.setLocalDescription();
    return await sendDescription(from, "offer", connection);
  }
  const connection = connections.get(from) ?? connect(from);
  await connection.setRemoteDescription(description);
  if (kind !== "offer") return;
  await connection.setLocalDescription();
  await sendDescription(from, "answer", connection);
}

function connect(peer) {
  const connection = new RTCPeerConnection();
  connections.set(peer, connection);
  connection.ondatachannel = ({ channel }) => open(channel);
  return connection;
}

/** With all its candidates in it. */
async function sendDescription(to, kind, connection) {
  if (connection.iceGatheringState !== "complete") {
    await new Promise((resolve) => {
      connection.onicegatheringstatechange = () => {
        if (connection.iceGatheringState === "complete") resolve(undefined);
      };
    });
  }
  const description = connection.localDescription.toJSON();
  signals.postMessage({ from: me, to, kind, description });
}

function open(channel) {
  channel.binaryType = "arraybuffer";
  channel.onopen = () => links.push(channel);
  channel.onclose = () => links.splice(links.indexOf(channel), 1);
  channel.onmessage = ({ data }) => void answer(channel, data);
}

async function answer(channel, data) {
  const view = new DataView(data);
  const id = view.getUint32(4);
  const kind = view.getUint8(0);
  if (kind === written || kind === done) {
    waiting.get(id)?.();
    waiting.delete(id);
    return;
  }
  if (kind === write) await put(new Uint8Array(data));
  else await replicate();
  channel.send(message(kind === write ? written : done, id));
}

function message(kind, id, bytes = 8) {
  const view = new DataView(new ArrayBuffer(bytes));
  view.setUint8(0, kind);
  view.setUint32(4, id);
  return view.buffer;
}

/** Resolves with the first answer. */
function ask(channel, kind) {
  const id = counter++;
  return new Promise((resolve) => {
    waiting.set(id, () => resolve(undefined));
    channel.send(message(kind, id, commandBytes));
  });
}

async function replicate() {
  await Promise.all([
    Promise.race(links.map((link) => ask(link, write))),
    put(new Uint8Array(commandBytes)),
  ]);
}

function put(bytes) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(["values"], "readwrite", { durability: "strict" });
    transaction.objectStore("values").put(bytes, counter++);
    transaction.oncomplete = () => resolve(undefined);
    transaction.onabort = () => reject(transaction.error);
    transaction.commit();
  });
}

/** Of its own, as every voter's. */
function openDatabase() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(`bare-${me}`);
    request.onupgradeneeded = () => request.result.createObjectStore("values");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
