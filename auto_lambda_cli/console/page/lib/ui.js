// What every part of the page is made with. Text from AWS only ever becomes text nodes: htm and preact set nothing else.
import htm from "../libraries/htm.js";
import { h } from "../libraries/preact.js";

export { Fragment, render } from "../libraries/preact.js";
export {
  useCallback, useEffect, useId, useLayoutEffect, useMemo, useReducer, useRef, useState,
} from "../libraries/preact-hooks.js";

export const html = htm.bind(h);

export const classes = (...names) => names.filter(Boolean).join(" ");
