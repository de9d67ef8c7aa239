"""Models, embeddings, files: what is listed, computed and kept."""

import os

import openai
from openai import OpenAI

from admin import refused

client = OpenAI(api_key="sk-twin", base_url=os.environ["TWIN_URL"] + "/v1")

names = [model.id for model in client.models.list()]
assert "gpt-4o" in names and "scripted-model" in names, names
assert client.models.retrieve("gpt-4o").owned_by == "system"
assert refused(openai.NotFoundError, lambda: client.models.retrieve("gpt-0")).code == "model_not_found"

# The SDK asks for base64 and decodes it.
vectors = client.embeddings.create(model="text-embedding-3-small", input=["one", "two", "one"])
one, two, again = (item.embedding for item in vectors.data)
assert len(one) == 1536 and one == again and one != two and vectors.usage.prompt_tokens > 0
assert abs(sum(x * x for x in one) - 1) < 1e-5
plain = client.embeddings.create(model="text-embedding-3-small", input="one", encoding_format="float")
assert all(abs(a - b) < 1e-6 for a, b in zip(plain.data[0].embedding, one))
short = client.embeddings.create(model="text-embedding-3-large", input="one", dimensions=8).data[0].embedding
assert len(short) == 8 and abs(sum(x * x for x in short) - 1) < 1e-5
assert refused(openai.BadRequestError,
               lambda: client.embeddings.create(model="text-embedding-3-small", input="")).param == "input"
assert refused(openai.NotFoundError,
               lambda: client.embeddings.create(model="text-embedding-0", input="x")).code == "model_not_found"

made = [client.files.create(file=(f"{n}.txt", bytes([n, 0xFF])), purpose="user_data") for n in range(5)]
listed = [file.id for file in client.files.list(limit=2, purpose="user_data")]
assert listed[:5] == [file.id for file in reversed(made)], "pages follow one another"
assert client.files.retrieve(made[3].id).filename == "3.txt" and made[3].bytes == 2
assert client.files.content(made[3].id).read() == bytes([3, 0xFF])
for file in made:
    assert client.files.delete(file.id).deleted
assert refused(openai.NotFoundError, lambda: client.files.content(made[3].id)).status_code == 404
assert refused(openai.BadRequestError,
               lambda: client.files.create(file=b"x", purpose="pleasure")).param == "purpose"
