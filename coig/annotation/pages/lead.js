// The leader's page needs a script for its colours only.

import { themeButton } from "./web.js";

themeButton(document.getElementById("theme"));
