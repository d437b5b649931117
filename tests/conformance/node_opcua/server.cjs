// An OPC UA server by another maker. Told on standard input, one JSON object a line:
//   {"do": "set", "signal": "state", "value": 3, "time": 1700000000000, "good": true}
//   {"do": "remove", "signal": "load"}
//   {"do": "add", "signal": "load"}
"use strict";
const readline = require("node:readline");
const { OPCUAServer } = require("node-opcua-server");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { Variant, DataType } = require("node-opcua-variant");
const { StatusCodes } = require("node-opcua-status-code");

const [port, folder] = [Number(process.argv[2]), process.argv[3]];
const NAMESPACE = "urn:lineside:conformance";
const TYPES = { state: DataType.Int32, good: DataType.UInt32, load: DataType.Double, scan: DataType.String };

async function main() {
  const manager = () => new OPCUACertificateManager({ rootFolder: folder, automaticallyAcceptUnknownCertificate: true });
  const server = new OPCUAServer({
    port,
    hostname: "127.0.0.1",
    resourcePath: "/conformance",
    securityModes: [1],
    securityPolicies: ["http://opcfoundation.org/UA/SecurityPolicy#None"],
    disableDiscovery: true,
    serverCertificateManager: manager(),
    userCertificateManager: manager(),
    serverCapabilities: { maxSessions: 20, minSupportedSampleRate: 0 },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const namespace = space.registerNamespace(NAMESPACE);
  const machine = namespace.addObject({ organizedBy: space.rootFolder.objects, browseName: "Machine", nodeId: "s=M" });
  const nodes = {};
  const add = (name) => {
    nodes[name] = namespace.addVariable({
      componentOf: machine,
      browseName: name,
      nodeId: `s=M.${name}`,
      dataType: DataType[TYPES[name]],
      minimumSamplingInterval: 0,
    });
  };
  Object.keys(TYPES).forEach(add);
  for (const name of ["state", "scan"]) {
    space.installHistoricalDataNode(nodes[name], { maxOnlineValues: 500 });
  }
  const apply = (order) => {
    if (order.do === "remove") {
      space.deleteNode(nodes[order.signal]);
      return;
    }
    if (order.do === "add") {
      add(order.signal);
      return;
    }
    const status = order.good === false ? StatusCodes.BadSensorFailure : StatusCodes.Good;
    const value = new Variant({ dataType: TYPES[order.signal], value: order.value });
    nodes[order.signal].setValueFromSource(value, status, new Date(order.time));
  };
  await server.start();
  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    apply(JSON.parse(line));
    process.stdout.write("done\n");
  });
  process.stdout.write("ready\n");
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
