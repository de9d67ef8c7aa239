// Lets the driver scripts import the SDKs that the set-up installed elsewhere.
import { register } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";

const beside = pathToFileURL(path.join(process.env.TWINS_SDKS, "node", "entry.mjs")).href;
const hook = `
export async function resolve(specifier, context, next) {
  if (specifier.startsWith(".") || specifier.startsWith("/") || specifier.includes(":")) return next(specifier, context);
  const inside = context.parentURL && context.parentURL.includes("/node_modules/");
  return next(specifier, inside ? context : { ...context, parentURL: ${JSON.stringify(beside)} });
}`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
