// A headless Chromium, driven by its DevTools protocol over ws: pages that run what a test wants, in an origin of its choice.
"use strict";
const { spawn } = require("node:child_process");
const { mkdtempSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const path = require("node:path");
const Ws = require("ws");
const { own, within, Queue } = require("./setup");

class Page {
	constructor(browser, session) {
		Object.assign(this, { browser, session });
	}

	/** What the function gives in the page, called with values that JSON can hold. */
	async run(what, ...values) {
		const expression = `(${what})(...${JSON.stringify(values)})`;
		const { result, exceptionDetails } = await this.browser.ask(
			"Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true }, this.session);
		if (exceptionDetails) throw new Error(`in the page: ${exceptionDetails.exception?.description || exceptionDetails.text}`);
		return result.value;
	}
}

class Chromium {
	static async start() {
		const browser = new Chromium(), folder = mkdtempSync(path.join(tmpdir(), "tracegate-chromium-"));
		const child = spawn("chromium", ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
			"--remote-debugging-port=0", `--user-data-dir=${folder}`, "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
		const ended = new Promise((resolve) => child.on("exit", resolve));
		browser.stop = async () => {
			child.kill("SIGKILL");
			await ended;
			rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
		};
		own(browser.stop);
		const lines = new Queue();
		child.stderr.on("data", (data) => String(data).split("\n").forEach((line) => lines.put(line)));
		child.on("error", (error) => lines.put(error));
		const line = await lines.take("chromium's DevTools", (text) => text.includes("DevTools listening on "));
		browser.socket = new Ws(line.slice(line.indexOf("ws://")).trim(), { perMessageDeflate: false });
		browser.waiting = new Map();
		browser.socket.on("message", (data) => browser.receive(JSON.parse(data)));
		await within("DevTools", new Promise((resolve) => browser.socket.on("open", resolve)));
		return browser;
	}

	receive({ id, result, error }) {
		this.waiting.get(id)?.(error ? { error } : { result });
		this.waiting.delete(id);
	}

	async ask(method, params = {}, sessionId = undefined) {
		const id = (this.last = (this.last || 0) + 1);
		this.socket.send(JSON.stringify({ id, method, params, sessionId }));
		const { result, error } = await within(method, new Promise((resolve) => this.waiting.set(id, resolve)));
		if (error) throw new Error(`${method}: ${error.message}`);
		return result;
	}

	/** A page of that address, loaded. */
	async open(url) {
		const { targetId } = await this.ask("Target.createTarget", { url: "about:blank" });
		const { sessionId } = await this.ask("Target.attachToTarget", { targetId, flatten: true });
		const page = new Page(this, sessionId);
		await this.ask("Page.enable", {}, sessionId);
		await this.ask("Page.navigate", { url }, sessionId);
		for (let state = ""; state !== url; ) state = await page.run("async () => document.readyState === 'complete' ? location.href : ''");
		return page;
	}
}

module.exports = { Chromium };
