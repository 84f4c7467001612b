/**
 * Authenticated: before any other byte, both ends of a fresh channel prove who they are.
 *
 *     both        HELLO   version ‖ public key ‖ store id ‖ 32 random bytes
 *     both        PROOF   signature over role ‖ transcript
 *     both        READY   after the other's proof was found good
 *
 *     transcript = SHA-256(label ‖ cluster ‖ session ‖ of each end, the dialling one first:
 *                          NodeId ‖ public key ‖ store id ‖ boot ‖ channel binding ‖ random bytes)
 *
 * The binding is the channel's DTLS fingerprint as the signaling brought it, so a relay that changed one finds two ends that
 * do not agree; the browser sees to it that the certificate fits the fingerprint. The role keeps an end from being answered
 * with its own proof, both boots keep it out of an earlier life's channel. READY comes after verification on either
 * side, so the first frame can follow it at once and nothing has to be kept. RFC 8827 §5 (why signaling alone is not enough).
 *
 * Not here: whether the peer is a member; deadlines (transport/fallback.ts).
 */
import { equalBytes } from "../base/bytes.js";
import { DecodeError } from "../base/errors.js";
import * as wire from "../codec/wire.js";
import type {
  Authenticate,
  Channel,
  ChannelContext,
  Credentials,
  Handshaken,
} from "../transport/channel.js";
import {
  type Identity,
  nodeIdOf,
  publicKeyBytes,
  signatureBytes,
  storeIdBytes,
  subtle,
  verifySignature,
} from "./identity.js";

const version = 1;
const randomBytes = 32;
const tag = { hello: 112, proof: 113, ready: 114 } as const;
const roles = { initiator: wire.u8(73), responder: wire.u8(82) } as const;

interface Hello extends Credentials {
  readonly random: Uint8Array;
}

/** @param clusterId  what both ends must mean by "the cluster"; at most 255 bytes */
export function createAuthenticate(identity: Identity, clusterId: Uint8Array): Authenticate {
  return (channel, context, done) => {
    const handshake = new Handshake(identity, clusterId, channel, context, done);
    handshake.start();
    return () => handshake.cancel();
  };
}

class Handshake {
  readonly #identity: Identity;
  readonly #clusterId: Uint8Array;
  readonly #channel: Channel;
  readonly #context: ChannelContext;
  readonly #done: (result: Handshaken) => void;
  readonly #own: Hello;
  #theirs: Hello | undefined;
  #transcript: Promise<Uint8Array> | undefined;
  #proofSeen = false;
  #verified = false;
  #ready = false;
  #ended = false;

  constructor(
    identity: Identity,
    clusterId: Uint8Array,
    channel: Channel,
    context: ChannelContext,
    done: (result: Handshaken) => void,
  ) {
    this.#identity = identity;
    this.#clusterId = clusterId;
    this.#channel = channel;
    this.#context = context;
    this.#done = done;
    const { publicKey, storeId } = identity;
    const random = crypto.getRandomValues(new Uint8Array(randomBytes));
    this.#own = { publicKey, storeId, random };
  }

  start(): void {
    const { publicKey, storeId, random } = this.#own;
    this.#channel.send(
      wire.message(wire.u8(tag.hello), wire.u8(version), publicKey, storeId, random),
    );
    this.#channel.listen({
      message: (bytes) => this.#receive(bytes),
      drained: () => {},
      closed: (reason) => this.#fail(`closed during the handshake: ${reason}`, false),
    });
  }

  cancel(): void {
    this.#ended = true;
  }

  #receive(bytes: Uint8Array): void {
    if (this.#ended) return;
    try {
      const reader = new wire.WireReader(bytes);
      const kind = reader.u8();
      if (kind === tag.hello) this.#hello(reader);
      else if (kind === tag.proof) this.#proof(reader);
      else if (kind === tag.ready) this.#readiness(reader);
      else throw new DecodeError(`no message of a handshake has tag ${kind}`);
    } catch (error) {
      this.#fail(String(error), true);
    }
  }

  #hello(reader: wire.WireReader): void {
    const spoken = reader.u8();
    if (spoken !== version) throw new DecodeError(`version ${spoken}, not ${version}`);
    if (this.#theirs !== undefined) throw new DecodeError("a second hello");
    const [publicKey, storeId, random] = [
      reader.bytes(publicKeyBytes).slice(),
      reader.bytes(storeIdBytes).slice(),
      reader.bytes(randomBytes).slice(),
    ];
    reader.end();
    this.#theirs = { publicKey, storeId, random };
    this.#transcript = this.#computeTranscript(this.#theirs);
    void this.#sendProof(this.#transcript).catch((error) => this.#fail(String(error), true));
  }

  async #sendProof(transcript: Promise<Uint8Array>): Promise<void> {
    const role = this.#context.initiator ? roles.initiator : roles.responder;
    const signature = await this.#identity.sign(wire.message(role, await transcript));
    if (!this.#ended) this.#channel.send(wire.message(wire.u8(tag.proof), signature));
  }

  #proof(reader: wire.WireReader): void {
    const signature = reader.bytes(signatureBytes).slice();
    reader.end();
    if (this.#theirs === undefined || this.#transcript === undefined || this.#proofSeen) {
      throw new DecodeError("a proof out of place");
    }
    this.#proofSeen = true;
    void this.#verify(this.#theirs, this.#transcript, signature).catch((error) =>
      this.#fail(String(error), true),
    );
  }

  async #verify(
    theirs: Hello,
    transcript: Promise<Uint8Array>,
    signature: Uint8Array,
  ): Promise<void> {
    const { publicKey, storeId } = theirs;
    const role = this.#context.initiator ? roles.responder : roles.initiator;
    const named = (await nodeIdOf(publicKey, storeId)) === this.#context.peer;
    const signed = wire.message(role, await transcript);
    if (!named || !(await verifySignature(publicKey, signed, signature))) {
      this.#fail(named ? "wrong signature" : "the key is not the named peer's", true);
      return;
    }
    if (this.#ended) return;
    this.#verified = true;
    this.#channel.send(wire.u8(tag.ready));
    this.#finish();
  }

  #readiness(reader: wire.WireReader): void {
    reader.end();
    if (this.#ready) throw new DecodeError("ready twice");
    this.#ready = true;
    this.#finish();
  }

  #finish(): void {
    if (!this.#verified || !this.#ready || this.#theirs === undefined || this.#ended) return;
    this.#ended = true;
    const { publicKey, storeId } = this.#theirs;
    this.#done({ publicKey, storeId });
  }

  #fail(failed: string, misbehaved: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#done({ failed, misbehaved });
  }

  async #computeTranscript(theirs: Hello): Promise<Uint8Array> {
    const { self, peer, selfBoot, peerBoot, selfBinding, peerBinding, initiator, session } =
      this.#context;
    if (equalBytes(theirs.random, this.#own.random)) throw new DecodeError("our own hello");
    const ours = this.#end(self, this.#own, selfBoot.nonce, selfBinding);
    const other = this.#end(peer, theirs, peerBoot.nonce, peerBinding);
    const bytes = wire.message(
      wire.text("logboom/chan/v1"),
      wire.u8(this.#clusterId.length),
      this.#clusterId,
      wire.text(this.#channel.kind),
      session,
      ...(initiator ? [ours, other] : [other, ours]),
    );
    return new Uint8Array(await subtle().digest("SHA-256", bytes));
  }

  #end(id: number, hello: Hello, bootNonce: Uint8Array, binding: Uint8Array): Uint8Array {
    const { publicKey, storeId, random } = hello;
    return wire.message(
      wire.u53(id),
      publicKey,
      storeId,
      bootNonce,
      wire.u8(binding.length),
      binding,
      random,
    );
  }
}
