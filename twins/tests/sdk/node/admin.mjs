// What a driver may do to its twin from outside: faults, actions, the clock.
const base = process.env.TWIN_ADMIN_URL;

async function send(url, body, method) {
  const answer = await fetch(url, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url}: ${text}`);
  return text ? JSON.parse(text) : undefined;
}

export const fault = (rule) => send(`${base}/faults`, rule);
export const clearFaults = () => send(`${base}/faults`, undefined, "DELETE");
export const act = (name) => send(`${base}/act`, name);

export async function advance(seconds) {
  const clock = `${base.slice(0, base.lastIndexOf("/"))}/clock`;
  const { now } = await send(clock);
  await send(clock, { advance_to: new Date(Date.parse(now) + seconds * 1000).toISOString() });
}
export const get = (path) => send(`${base}${path}`);
