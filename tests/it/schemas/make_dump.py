#!/usr/bin/env python3
"""make_dump.py CHATD OUT.db.gz: lets a chatd live for a moment, kills it in mid-life, keeps its database."""
import gzip, json, os, shutil, socket, sqlite3, ssl, subprocess, sys, tempfile, time
prog, out = sys.argv[1:3]
d = tempfile.mkdtemp()
open(d + "/config.toml", "w").write('''[server]
name = "chat.test"
listen = ["127.0.0.1:0"]
data_dir = "data"
presence_grace = "100ms"
[tls]
cert = "server.crt"
key = "server.key"
[auth]
argon2_memory_kib = 64
argon2_iterations = 1
[log]
format = "json"
''')
base = [prog, "--config", d + "/config.toml"]
def run(*args, stdin="", must=True):
    r = subprocess.run(base + list(args), input=stdin, text=True, capture_output=True, cwd=d)
    if must and r.returncode: sys.exit(f"{args}: {r.stderr}")
    return r
run("cert", "new", "--name", "chat.test")
for name in ["alice", "bob", "carol", "root"]:
    run("user", "add", name, "--password-stdin", *(["--admin"] if name == "root" else []), stdin=f"the-word-of-{name}\n")
child = subprocess.Popen(base + ["serve"], cwd=d, stderr=subprocess.PIPE, text=True)
port = None
for line in child.stderr:
    try: fields = json.loads(line)["fields"]
    except Exception: continue
    if fields.get("message") == "listening": port = int(str(fields["address"]).rsplit(":", 1)[1]); break
import threading
threading.Thread(target=lambda: [None for _ in child.stderr], daemon=True).start()
ctx = ssl.create_default_context(); ctx.check_hostname = False; ctx.verify_mode = ssl.CERT_NONE
class Client:
    def __init__(self, name):
        self.s = ctx.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="chat.test")
        self.s.settimeout(20); self.f = self.s.makefile("r", encoding="utf-8", newline="\r\n"); self.n = 0; self.name = name
        self.s.sendall((f"CAP LS 302\r\nCAP REQ :message-tags echo-message batch\r\nCAP END\r\nPASS the-word-of-{name}\r\nNICK {name}\r\nUSER {name} 0 * :{name} the tester\r\n").encode())
        while True:
            l = self.f.readline()
            if not l: sys.exit(f"{name}: no login")
            if " 001 " in l: break
        self.ask()
    def ask(self, *lines):
        self.n += 1; got = []
        self.s.sendall("".join(l + "\r\n" for l in (*lines, f"PING :f{self.n}")).encode())
        while True:
            l = self.f.readline()
            if not l: sys.exit(f"{self.name}: ended in {lines}")
            if l.startswith("PING"): self.s.sendall(("PONG" + l[4:]).encode()); continue
            if " PONG " in l and f"f{self.n}" in l: return got
            got.append(l.rstrip())
    def quit(self): self.ask(); self.s.sendall(b"QUIT :good night\r\n"); [None for _ in self.f]; self.s.close()
alice, bob = Client("alice"), Client("bob")
said = []
for a in ["JOIN #dev", "TOPIC #dev :what we build", "MODE #dev +t", "PRIVMSG #dev :good morning"]: alice.ask(a)
bob.ask("JOIN #dev"); alice.ask("MODE #dev +v bob", "PRIVMSG #dev :the old words are kept")
bob.ask("PRIVMSG #dev :caf\u00e9 \u4e2d\u6587 \U0001f600", "NOTICE #dev :a notice", "PRIVMSG alice :between us")
carol = Client("carol"); carol.ask("JOIN #dev", "PRIVMSG #dev :soon out")
alice.ask("KICK #dev carol :rest a while", "MODE #dev +i", "INVITE carol #dev")
carol.quit()
root = Client("root")
odd = ["MODE #dev +b mallory!*@*", "MODE #dev +q ~a:carol", "METADATA alice SET display-name :Alice in person", "METADATA * SET display-name :Alice", "MARKREAD #dev timestamp=2026-11-23T12:00:00.000Z", "JOIN #short", "PRIVMSG #short :a room with another name", "RENAME #short #long :better"]
for a in odd: alice.ask(a)
e = alice.ask("PRIVMSG #dev :taken back")
ids = [t[6:] for l in e if "PRIVMSG" in l and l.startswith("@") for t in l[1:].split(" ")[0].split(";") if t.startswith("msgid=")]
if ids: print("  redact:", alice.ask(f"REDACT #dev {ids[0]} :a slip")[:1])
bob.ask("JOIN #two", "PRIVMSG #two :in two rooms"); bob.quit()
root.ask("JOIN #dev", "JOIN #kept", "MODE #kept +k sesame")
run("invite", "new", must=False)
child.kill(); child.wait()
db = sqlite3.connect(d + "/data/chat.db", isolation_level=None)
db.execute("PRAGMA wal_checkpoint(TRUNCATE)"); db.execute("PRAGMA journal_mode=DELETE"); db.execute("VACUUM")
print(os.path.basename(out), "schema", db.execute("SELECT group_concat(version) FROM refinery_schema_history").fetchone()[0], "events", db.execute("SELECT count(*) FROM events").fetchone()[0], "present", db.execute("SELECT count(*) FROM members WHERE present").fetchone()[0], db.execute("PRAGMA integrity_check").fetchone()[0], [r for r in db.execute("SELECT kind, count(*) FROM events GROUP BY 1")])
db.close()
with open(d + "/data/chat.db", "rb") as f, open(out, "wb") as o, gzip.GzipFile("", "wb", 9, o, mtime=0) as z: shutil.copyfileobj(f, z)
shutil.rmtree(d); print("  bytes", os.path.getsize(out))
