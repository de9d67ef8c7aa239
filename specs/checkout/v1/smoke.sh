# Compiles everything, starts the service on a free port, and asks three questions. The providers are not needed for it.
export PYTHONPYCACHEPREFIX="${TMPDIR:-/tmp}/pycache" # leaves nothing in the tree
python3 -m py_compile ./*.py || exit 1
python3 - <<'PYTHON'
import json, os, socket, subprocess, sys, tempfile, time, urllib.error, urllib.request

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
nobody = "http://127.0.0.1:9"
providers = {f"{name}_API_BASE": nobody for name in ("STRIPE", "SENDGRID", "SLACK")}
secrets = {name: "x" for name in ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "SENDGRID_API_KEY", "SLACK_BOT_TOKEN")}
data = tempfile.TemporaryDirectory()
settings = {"PORT": str(port), "DATA_DIR": data.name, "SLACK_CHANNEL": "#orders", "PROVIDER_TIMEOUT_MS": "1000", "RETRY_BASE_MS": "50"}
service = subprocess.Popen([sys.executable, "app.py"], env=os.environ | providers | secrets | settings)


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data, timeout=2) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


try:
    for _ in range(100):
        try:
            health = ask("/health")
            break
        except urllib.error.URLError:
            time.sleep(0.05)
    assert health == (200, {"status": "ok"}), health
    status, catalogue = ask("/products")
    assert status == 200 and len(catalogue["products"]) == 4, catalogue
    status, refusal = ask("/orders", {"email": "nobody"})
    assert status == 422 and "email" in refusal["error"]["fields"], refusal
    print("smoke: it starts, shows its catalogue and refuses a bad order")
finally:
    service.kill()
PYTHON
