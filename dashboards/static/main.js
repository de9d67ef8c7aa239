// Everything here is a comfort: each page is complete without it.
import { tick } from "./clock.js";
import { gridKeys } from "./keys.js";
import { keepLive } from "./live.js";

tick();
gridKeys();
keepLive(document.getElementById("live"), document.getElementById("link"));
