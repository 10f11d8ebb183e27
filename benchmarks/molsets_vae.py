"""Time the VAE of molsets 0.3.1; for throughput.py, in molsets' environment.

    ENVIRONMENT/bin/python benchmarks/molsets_vae.py SMILES_FILE JSON_OF_SIZES

Its own model, vocabulary and loss, in the loop of its own trainer without the progress bar. Prints
JSON: molecules and seconds of each training step and of each call of `sample`.
"""

import json
import sys
import time
import types
import warnings
from pathlib import Path
from typing import Any

import torch

warnings.simplefilter("ignore")
six = types.ModuleType("rdkit.six")  # which RDKit dropped in 2020
six.iteritems = lambda mapping: mapping.items()  # type: ignore[attr-defined]
sys.modules["rdkit.six"] = six

from moses.utils import OneHotVocab  # type: ignore[import-not-found]  # noqa: E402
from moses.vae import model as vae  # type: ignore[import-not-found]  # noqa: E402
from moses.vae.config import get_parser  # type: ignore[import-not-found]  # noqa: E402


class Torch(types.ModuleType):
    """torch as its `sample` knew it: masks were bytes, which are no masks any more."""

    uint8 = torch.bool

    def __getattr__(self, name: str) -> Any:
        """Return what torch has under the name."""
        return getattr(torch, name)


vae.torch = Torch("torch")


def main() -> None:
    """Train and sample for as many batches as asked, and print what each took."""
    smiles = Path(sys.argv[1]).read_text().split()
    sizes: dict[str, Any] = json.loads(sys.argv[2])
    torch.manual_seed(0)
    torch.set_num_threads(sizes["threads"])
    config, _ = get_parser().parse_known_args([])
    config.q_d_h, config.q_bidir = sizes["encoder_size"], True
    config.d_d_h, config.d_n_layers = sizes["decoder_size"], sizes["decoder_layers"]
    config.d_z = sizes["latent_size"]
    model = vae.VAE(OneHotVocab.from_data(smiles), config)
    optimizer = torch.optim.Adam(model.vae.parameters(), lr=config.lr_start)
    size = sizes["batch_size"]
    steps = []
    for begin in range(0, len(smiles), size):
        rows = sorted(smiles[begin : begin + size], key=len, reverse=True)
        start = time.perf_counter()
        batch = tuple(model.string2tensor(text) for text in rows)
        kl_loss, recon_loss = model(batch)
        loss = 0.01 * kl_loss + recon_loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.vae.parameters(), config.clip_grad)
        optimizer.step()
        steps.append([len(rows), time.perf_counter() - start])
    model.eval()
    samples = []
    for _ in range(sizes["samples"]):
        start = time.perf_counter()
        drawn = model.sample(size, max_len=100)
        samples.append([len(drawn), time.perf_counter() - start])
    weights = sum(weight.numel() for weight in model.vae.parameters())
    print(json.dumps({"steps": steps, "samples": samples, "weights": weights}))


if __name__ == "__main__":
    main()
