import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from molvae.model.embedding import symbol_embedding


def test_vectors_equal_those_of_torch() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        ours, after = symbol_embedding(38, 64), torch.rand(3)
        torch.manual_seed(3)
        theirs, after_theirs = nn.Embedding(38, 64), torch.rand(3)
    assert torch.equal(ours.weight, theirs.weight)
    assert torch.equal(after, after_theirs)
    assert ours.weight.requires_grad


def test_loading_a_model_imports_no_compiler(tiny_model_file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from molvae.checkpoint import Checkpoint;"
        " Checkpoint.load(Path(sys.argv[1])); print('torch._dynamo' in sys.modules,"
        " 'sympy' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tiny_model_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
