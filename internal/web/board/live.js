// The connection to /api/v1/events. A browser gives up after some errors, and
// does not see a line that goes silent: both are looked after here.

// The server says something every 15 seconds; this long without is a lost line.
const patience = 40_000;

// watch calls seen with each station.View, and lost with the time when the
// station was last heard.
export function watch(seen, lost) {
  let source = null;
  let heard = Date.now();
  let begun = 0; // when we last began to connect
  let silent = false;

  const hear = () => {
    heard = Date.now();
    silent = false;
  };
  const lose = () => {
    if (!silent) lost(heard);
    silent = true;
  };
  const connect = () => {
    begun = Date.now();
    source?.close();
    source = new EventSource("/api/v1/events");
    source.addEventListener("view", (event) => {
      hear();
      seen(JSON.parse(event.data));
    });
    source.addEventListener("beat", hear);
    source.addEventListener("error", lose);
  };

  setInterval(() => {
    if (Date.now() - heard > patience) lose();
    if (silent && Date.now() - begun > 6000) connect();
  }, 2000);
  // A page that leaves must not keep the station's place for it until the browser forgets it.
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => event.persisted && connect());
  connect();
}
