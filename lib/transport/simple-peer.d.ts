/** The bundled build of simple-peer: needs no polyfill and no bundler plug-in. Its types are the package's. */
declare module "simple-peer/simplepeer.min.js" {
  import Peer from "simple-peer";
  export default Peer;
}
