/** Invites: what a link carries, and what is said when it was damaged on its way. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findInvite, formatInvite, newInvite, withoutInvite } from "../../lib/room/invite.js";

const invite = { clusterId: new Uint8Array(16).fill(7), secret: new Uint8Array(32).fill(9) };
const text = formatInvite(invite);

describe("an invite", () => {
  it("is read back from the bare text, a fragment and a whole link", () => {
    for (const form of [
      text,
      `#${text}`,
      `https://app.example/board?x=1#${text}`,
      `see ${text} !`,
    ]) {
      expect(findInvite(form)).toEqual(invite);
    }
  });

  it("is read back whatever its bytes", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (clusterId, secret) => {
          expect(findInvite(formatInvite({ clusterId, secret }))).toEqual({ clusterId, secret });
        },
      ),
    );
  });

  it("is drawn anew each time", () => {
    expect(formatInvite(newInvite())).not.toBe(formatInvite(newInvite()));
  });

  it.each([
    ["", "an empty fragment"],
    ["#section-2", "somebody else's fragment"],
    ["https://app.example/", "a plain link"],
  ])("%j holds none: %s", (link) => {
    expect(findInvite(link)).toBeUndefined();
  });

  it.each([
    [text.slice(0, -1), /characters.*copy the whole link/],
    [`${text}A`, /characters.*copy the whole link/],
    [text.replace(/.$/, (last) => (last === "A" ? "B" : "A")), /check sum/],
    [text.replace("logboom=1.", "logboom=9."), /version 9.*update the application/],
  ])("a damaged one (%s) is refused, saying what to do", (damaged, message) => {
    expect(() => findInvite(damaged)).toThrow(message);
    expect(() => findInvite(damaged)).toThrow(expect.objectContaining({ code: "BAD_INVITE" }));
  });

  it("no single changed character goes unnoticed", () => {
    const body = text.slice("logboom=1.".length);
    for (let i = 0; i < body.length - 1; i++) {
      const changed = body.slice(0, i) + (body[i] === "A" ? "B" : "A") + body.slice(i + 1);
      expect(() => findInvite(`logboom=1.${changed}`)).toThrow();
    }
  });
});

describe("withoutInvite", () => {
  it.each([
    [`https://a.example/b#${text}`, "https://a.example/b"],
    [`https://a.example/b#x=1&${text}`, "https://a.example/b#x=1"],
    ["https://a.example/b#x=1", "https://a.example/b#x=1"],
  ])("%s", (link, clean) => {
    expect(withoutInvite(link)).toBe(clean);
  });
});
