/** Runs confchange scripts: simple and joint changes of one configuration, shown with the progress of its members. */
import {
  ascending,
  type Changed,
  emptyConfiguration,
  enterJoint,
  leaveJoint,
  type Membership,
  simpleChange,
} from "../core/confchange.js";
import { describeConfiguration, describeProgress } from "../core/describe.js";
import { Inflights } from "../core/inflights.js";
import type { Progress } from "../core/progress.js";
import { argumentOf, type Directive, parseBoolean, ScriptError } from "./datadriven.js";
import { parseChanges } from "./describe.js";

/** A handler with a configuration of its own. */
export function confChangeScript(): (directive: Directive) => string {
  let membership: Membership = { configuration: emptyConfiguration, progress: new Map() };
  // Counts the directives, so that `next` shows in which of them a member came.
  let lastIndex = 0;
  return (directive) => {
    try {
      const changed = run(directive, membership, lastIndex);
      if (!changed.ok) return changed.reason;
      membership = changed.membership;
      return describeMembership(membership);
    } catch (error) {
      if (error instanceof ScriptError) return error.message;
      throw error;
    } finally {
      lastIndex++;
    }
  };
}

function run(directive: Directive, membership: Membership, lastIndex: number): Changed {
  const newcomers = {
    lastIndex,
    makeInflights: () => new Inflights(10, Number.POSITIVE_INFINITY),
  };
  const changes = parseChanges(directive.input);
  switch (directive.command) {
    case "simple":
      return simpleChange(membership, changes, newcomers);
    case "enter-joint": {
      const autoLeave = argumentOf(directive, "autoleave");
      return enterJoint(
        membership,
        autoLeave !== undefined && parseBoolean(autoLeave),
        changes,
        newcomers,
      );
    }
    case "leave-joint":
      if (changes.length > 0) throw new ScriptError("this command takes no input");
      return leaveJoint(membership);
    default:
      throw new ScriptError("unknown command");
  }
}

function describeMembership({ configuration, progress }: Membership): string {
  let text = `${describeConfiguration(configuration)}\n`;
  for (const id of ascending(progress.keys())) {
    text += `${id}: ${describeProgress(progress.get(id) as Progress)}\n`;
  }
  return text;
}
