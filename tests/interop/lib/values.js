// Random JSON of all shapes as text, and what it says exactly: numbers as they are written, not as JavaScript rounds them.
"use strict";
const assert = require("node:assert");

class Num {
	constructor(text) {
		this.text = text;
	}
}

const NUMBERS = [
	"0", "-0", "1", "-1", "1.0", "0.1", "-0.0", "255", "65536", "4294967296", "9007199254740991", "9007199254740992", "9007199254740993",
	"-9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
	"18446744073709551615", "18446744073709551616", "123456789012345678901234567890", "1E400", "-1e-400", "1e22", "1e+2", "5e-324",
	"2.2250738585072014e-308", "1.7976931348623157e308", "0.10000000000000001", "3.141592653589793238", "100000000000000000000", "1e0001",
];
const STRINGS = [
	'""', '"a"', '"tool.call"', '"ü"', '"€"', '"😀"', '"\\ud83d\\ude00"', '"\\ud800"', '"\\udc00\\ud800"', '"x\\uDFFFy"', '"\\u0000"', '"\\n\\r\\t\\b\\f"',
	'"\\"\\\\\\/"', '"\u2028\u2029"', '"\ufeff"', '"\\u00e9"', '"e\u0301"', '"data: fake"', '"id: 9\\n\\n"', '"日本語のテキスト"', '"\u007f"', '"0"', '"sessionId"',
];
const BLANKS = ["", "", "", "", "", "", " ", "\t", "\n", "\r\n", "\r", " \n "];
const DEPTH_MAX = 118;

function randomNumber(random) {
	if (random.below(3) === 0) return random.pick(NUMBERS);
	let text = (random.below(2) ? "-" : "") + String(random.word() % 10 ** (1 + random.below(9)));
	if (random.below(3) === 0) text += "." + "0".repeat(random.below(3)) + random.below(100000);
	if (random.below(6) === 0) text += random.pick(["e", "E", "e+", "E-"]) + random.below(40);
	return text;
}

function randomString(random) {
	if (random.below(2)) return random.pick(STRINGS);
	let text = "";
	for (let length = random.below(12); length; length--) {
		const point = random.pick([random.below(0x80), random.below(0x800), random.below(0xd800), 0xe000 + random.below(0x1fff), 0x10000 + random.below(0xfffff)]);
		text += String.fromCodePoint(point);
	}
	return JSON.stringify(text);
}

/** A text of JSON. blanks: whether there is white space between its tokens. */
function randomJson(random, blanks = true, depth = 0) {
	const blank = () => (blanks ? random.pick(BLANKS) : "");
	const inner = () => randomJson(random, blanks, depth + 1);
	const kind = depth > 5 ? random.below(4) : random.below(9);
	if (kind === 0) return random.pick(["true", "false", "null"]);
	if (kind < 3) return randomNumber(random);
	if (kind === 3) return randomString(random);
	if (kind === 4 && random.below(40) === 0) {
		const levels = 1 + random.below(DEPTH_MAX - depth);
		return random.below(2) ? "[".repeat(levels) + "]".repeat(levels) : '{"k":'.repeat(levels) + "1" + "}".repeat(levels);
	}
	const count = random.below(5), parts = [];
	for (let i = 0; i < count; i++) {
		const name = kind < 7 ? `${blank()}${randomString(random)}${blank()}:` : "";
		parts.push(`${name}${blank()}${inner()}${blank()}`);
	}
	return kind < 7 ? `{${parts.join(",") || blank()}}` : `[${parts.join(",") || blank()}]`;
}

/** Reads JSON: objects are Maps (the last of equal names counts), numbers are Num. */
function parseExactly(text) {
	const token = /[ \t\n\r]*([{}[\],:]|"(?:[^"\\]|\\.)*"|[^ \t\n\r{}[\],:"]+)/y;
	const next = () => token.exec(text)[1];
	const read = (word) => {
		if (word === "{") {
			const map = new Map();
			for (let name = next(); name !== "}"; name = next()) {
				if (name === ",") name = next();
				assert.equal(next(), ":");
				map.set(JSON.parse(name), read(next()));
			}
			return map;
		}
		if (word === "[") {
			const list = [];
			for (let item = next(); item !== "]"; item = next()) list.push(read(item === "," ? next() : item));
			return list;
		}
		return /^[-0-9]/.test(word) ? new Num(word) : JSON.parse(word);
	};
	return read(next());
}

/** One spelling for each number: sign, digits without zeros at their ends, exponent. */
function canonical(text) {
	const [, sign, whole, fraction = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
	const all = (whole + fraction).replace(/^0+/, ""), digits = all.replace(/0+$/, "");
	if (!digits) return `${sign}0`;
	return `${sign}${digits}e${BigInt(exponent) - BigInt(fraction.length) + BigInt(all.length - digits.length)}`;
}

const spell = (number) => canonical(Object.is(number, -0) ? "-0" : String(number));

/** The number as MessagePack holds it, a BigInt or a double; undefined: it fits neither, or only a subnormal double. */
function hold(num) {
	const exact = canonical(num.text), double = Number(num.text);
	const isNormal = double === 0 || (Number.isFinite(double) && Math.abs(double) >= 2.2250738585072014e-308);
	if (isNormal && spell(double) === exact) return double;
	if (!/^-?[1-9]\d*$/.test(num.text)) return wholeOf(exact);
	return inRange(BigInt(num.text));
}

const inRange = (whole) => (whole >= -(2n ** 63n) && whole < 2n ** 64n ? whole : undefined);

function wholeOf(exact) {
	const [, digits, exponent] = /^(-?\d+)e(-?\d+)$/.exec(exact) || [];
	if (!digits || BigInt(exponent) < 0n || BigInt(exponent) > 30n) return undefined;
	return inRange(BigInt(digits) * 10n ** BigInt(exponent));
}

function fits(tree) {
	if (tree instanceof Num) return hold(tree) !== undefined;
	if (tree instanceof Map) return [...tree.values()].every(fits);
	return !Array.isArray(tree) || tree.every(fits);
}

/** Whether some number in the text does not fit, those behind names that come twice too. */
function textFits(text) {
	const outside = text.replace(/"(?:[^"\\]|\\.)*"/g, '""');
	return (outside.match(/-?\d[0-9.eE+-]*/g) || []).every((number) => hold(new Num(number)) !== undefined);
}

const wellFormed = (text) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text));

/** Compares what a text says with what a MessagePack decoder made of it (half surrogates are U+FFFD there), exactly. */
function assertSame(tree, value) {
	if (tree instanceof Num) {
		assert.ok(["number", "bigint"].includes(typeof value), `${tree.text} came as ${typeof value}`);
		assert.equal(spell(value), canonical(tree.text));
	} else if (tree instanceof Map) {
		const entries = new Map([...tree].map(([name, part]) => [wellFormed(name), part]));
		assert.deepEqual(new Set(Object.keys(value)), new Set(entries.keys()));
		for (const [name, part] of entries) assertSame(part, value[name]);
	} else if (Array.isArray(tree)) {
		assert.equal(value.length, tree.length);
		tree.forEach((part, i) => assertSame(part, value[i]));
	} else {
		assert.strictEqual(value, typeof tree === "string" ? wellFormed(tree) : tree);
	}
}

/** Compares two exact readings. */
function assertEqualTrees(one, other) {
	if (one instanceof Num) {
		assert.ok(other instanceof Num);
		assert.equal(canonical(other.text), canonical(one.text));
	} else if (one instanceof Map) {
		assert.deepEqual(new Set(other.keys()), new Set(one.keys()));
		for (const [name, part] of one) assertEqualTrees(part, other.get(name));
	} else if (Array.isArray(one)) {
		assert.equal(other.length, one.length);
		one.forEach((part, i) => assertEqualTrees(part, other[i]));
	} else {
		assert.strictEqual(other, one);
	}
}

/** What a client would publish over WebSocket: numbers that fit nothing and half surrogates replaced; requests have no NUL in a key. */
function publishable(tree) {
	if (tree instanceof Num) {
		const held = hold(tree);
		return held === undefined ? tree.text : held || 0; // libraries write -0 as the integer
	}
	if (tree instanceof Map) return Object.fromEntries([...tree].map(([name, part]) => [wellFormed(name).replaceAll("\0", "0"), publishable(part)]));
	if (Array.isArray(tree)) return tree.map(publishable);
	return typeof tree === "string" ? wellFormed(tree) : tree;
}

module.exports = { randomJson, parseExactly, fits, textFits, assertSame, assertEqualTrees, publishable, wellFormed };
