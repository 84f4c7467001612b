/** The storage worker where zeros ahead of the data cannot be written. */
import "./zeros-fail.js";
import "../../lib/storage/opfs-worker.js";
