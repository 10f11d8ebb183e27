"""The commands whose outputs are golden.

Each case is one command line. It runs in a folder of its own; `../inputs` holds the tables, and
the folders of the cases that it needs stand beside it under their names.
"""

import shlex
from typing import NamedTuple

LIDOCAINE, NAPROXEN = "'CCN(CC)CC(=O)Nc1c(C)cccc1C'", "'COc1ccc2cc(ccc2c1)C(C)C(=O)O'"
SMALL = (
    "--symbol-size 16 --encoder-size 24 --decoder-size 48 --latent-size 8 --condition-size 16"
    " --batch-size 32 --learning-rate 0.02 --precision fp32 --device cpu --threads 1 --seed 5"
)


class Case(NamedTuple):
    """A command whose output is recorded.

    Attributes:
        name: the case, and its folder.
        words: the command line.
        needs: the cases whose files it reads.
        extra: a package that it needs and that not every installation has.
        stdin: a table of the inputs that it reads from standard input.
        interrupted: stop it once after the first epoch, then run it with --resume.
    """

    name: str
    words: str
    needs: tuple[str, ...] = ()
    extra: str = ""
    stdin: str = ""
    interrupted: bool = False

    @property
    def arguments(self) -> list[str]:
        """The command line, word by word."""
        return shlex.split(self.words)


GENERATE = [
    Case("generate", "generate -n 20 --seed 1 -j 1"),
    Case("generate-moses", "generate moses -n 20 --seed 2 -j 1"),
    Case("generate-point", "generate -n 12 --seed 3 -j 1 -t LogP=2.5 -t QED=0.8.. -t mw=..400"),
    Case("generate-moses-point", "generate moses -n 12 --seed 3 -j 1 -t TPSA=60 -t SA=2..2.5"),
    Case("generate-json", "generate -n 8 --seed 4 -j 1 -t LogP=3 --json"),
    Case("generate-summary", "generate -n 8 --seed 4 -j 1 -t LogP=3 --json -o out.csv"),
    Case("generate-ood", "generate -n 4 --seed 4 -j 1 -t LogP=9 -t MolWt=300"),
    Case("generate-table", "generate --targets ../inputs/targets.csv -n 3 --seed 5 -j 1"),
    Case("generate-best", "generate -n 5 --seed 6 -j 1 -t TPSA=70 -t LogP=2 --best-of 4"),
    Case("generate-in-range", "generate -n 6 --seed 7 -j 1 -t LogP=2..2.6 --in-range"),
    Case("generate-filter", "generate -n 12 --seed 8 -j 1 --filter PAINS,BRENK --filter MOSES"),
    Case(
        "generate-smarts",
        "generate -n 6 --seed 9 -j 1 --smarts c1ccncc1 --not-smarts '[F,Cl]' --max-tries 200",
    ),
    Case("generate-shortfall", "generate -n 6 --seed 9 -j 1 --smarts '[Br]' --max-tries 2"),
    Case("generate-raw", "generate -n 20 --seed 10 -j 1 --tier raw --temperature 1.2"),
    Case("generate-noise-none", "generate -n 8 --seed 11 -j 1 --noise 0 -t LogP=2"),
    Case("generate-noise-half", "generate -n 8 --seed 11 -j 1 --noise 0.5 -t LogP=2"),
    Case(
        "generate-settings",
        "generate -n 8 --seed 12 -j 1 --guidance 2 --top-p 0.9 --shortlist 2 -t HBD=1 -b 5",
    ),
    Case("generate-novel", "generate moses -n 12 --seed 13 -j 1 --novel --temperature 0.5"),
    Case(
        "generate-exclude",
        "generate -n 10 --seed 1 -j 1 --exclude ../generate/stdout.csv",
        ("generate",),
    ),
    Case("generate-repeated", "generate -n 10 --seed 14 -j 1 --no-unique --temperature 0.1"),
    Case("generate-smi", "generate -n 15 --seed 15 -j 1 -o out.smi"),
    Case("generate-tsv", "generate -n 5 --seed 16 -j 1 -o out.tsv.gz"),
    Case("generate-sdf", "generate -n 15 --seed 17 -j 1 -t LogP=2 -o out.sdf"),
    Case("generate-jsonl", "generate -n 5 --seed 18 -j 1 -t QED=0.7.. -o out.jsonl"),
    Case("generate-parquet", "generate -n 15 --seed 19 -j 1 -o out.parquet", (), "pyarrow"),
    Case("generate-unknown", "generate -n 5 --seed 20 -t LogQ=2"),
]

LATENT = [
    Case("augment", "augment ../inputs/few.csv -n 3 --tries 16 --seed 1 -j 1"),
    Case(
        "augment-free",
        "augment ../inputs/messy.csv moses -n 2 --tries 24 --seed 2 -j 1 --radius 2"
        " --free-properties --rejects rejects.csv --json -o out.csv",
    ),
    Case("neighbors", f"neighbors {LIDOCAINE} -n 8 --seed 1"),
    Case("neighbors-target", f"neighbors {NAPROXEN} moses -n 6 --seed 2 -t LogP=2 --radius 0.5"),
    Case("neighbors-noise", f"neighbors {NAPROXEN} -n 6 --seed 3 --noise 0.8 --min-similarity 0.2"),
    Case("sweep", f"sweep {LIDOCAINE} --property LogP -n 5 --tries 16"),
    Case("sweep-counts", f"sweep {NAPROXEN} moses -p HBD --from 0 --to 3 -n 4 --tries 16 --json"),
    Case("sweep-guidance", f"sweep {LIDOCAINE} -p TPSA -n 3 --tries 8 --guidance 1 --noise 0"),
    Case("interpolate", f"interpolate {LIDOCAINE} {NAPROXEN} -n 5 --tries 16"),
    Case(
        "interpolate-linear",
        f"interpolate {LIDOCAINE} {NAPROXEN} moses -n 6 --path linear --distinct --noise 0.3"
        " --tries 8 -t LogP=3 --json",
    ),
    Case("encode", "encode ../inputs/few.csv -j 1 -o codes.csv"),
    Case(
        "encode-moses",
        "encode ../inputs/messy.csv moses -j 1 --deviations --rejects rejects.csv -o out.jsonl",
    ),
    Case("encode-strict", "encode ../inputs/messy.csv -j 1 --strict"),
    Case("encode-stdin", "encode - -j 1 --json -o out.csv", stdin="few.csv"),
    Case("decode", "decode ../encode/codes.csv", ("encode",)),
    Case(
        "decode-target",
        "decode ../encode/codes.csv --alone -t LogP=2 --temperature 1 --seed 4 --json",
        ("encode",),
    ),
    Case("reconstruct", "reconstruct ../inputs/few.csv -j 1"),
    Case("reconstruct-alone", "reconstruct ../inputs/few.csv moses -j 1 --alone --json -o o.csv"),
    Case("score", "score ../inputs/few.csv -j 1"),
    Case("score-moses", "score ../inputs/messy.csv moses -j 1 --codes 2 --rejects rejects.csv"),
    Case("predict", "predict ../inputs/few.csv -p LogP -p QED -j 1"),
    Case(
        "predict-labels",
        "predict ../inputs/labelled.csv ../train-labels/run -j 1 --json -o out.csv",
        ("train-labels",),
    ),
    Case(
        "predict-fill",
        "predict ../inputs/labelled.csv ../train-labels/run -j 1 --fill -p potency -p activity",
        ("train-labels",),
    ),
    Case(
        "map",
        "map ../inputs/drugs.csv -o map.svg --table map.csv --color LogP --json -j 1",
        (),
        "matplotlib",
    ),
]

PREPARE = [
    Case("prepare", "prepare ../inputs/labelled.csv -o out.molvae -j 1 --min-count 2 --json"),
    Case(
        "prepare-messy",
        "prepare ../inputs/messy.csv ../inputs/few.csv -o out.molvae -j 1 --min-count 1"
        " --properties MW,LogP,RotB --rejects rejects.csv --seed 3 --validation 0.2 --json",
    ),
    Case(
        "prepare-kept",
        "prepare ../inputs/messy.csv -o out.molvae -j 1 --min-count 1 --stereo --isotopes"
        " --no-uncharge --no-largest-fragment --max-heavy-atoms 30 --rejects rejects.csv --json"
        " --label potency --conflicts conflicts.csv",
    ),
    Case(
        "prepare-scaffold",
        "prepare ../inputs/labelled.csv -o out.molvae -j 1 --min-count 2 --split scaffold"
        " --validation 0.2 --test 0.2",
    ),
    Case(
        "prepare-labels",
        "prepare ../inputs/labelled.csv -o out.molvae -j 1 --min-count 2 --split part --json"
        " --properties MW,LogP,TPSA,QED --label potency --label activity"
        " --conflicts conflicts.csv --rejects rejects.csv",
    ),
    Case(
        "prepare-formats",
        "prepare ../generate-smi/out.smi ../generate-sdf/out.sdf ../generate-tsv/out.tsv.gz"
        " ../generate-jsonl/out.jsonl -o out.molvae -j 1 --min-count 1 --properties"
        " HeavyAtoms,Rings,AromaticRings,Fsp3 --json",
        ("generate-smi", "generate-sdf", "generate-tsv", "generate-jsonl"),
    ),
    Case(
        "prepare-parquet",
        "prepare ../generate-parquet/out.parquet -o out.molvae -j 1 --min-count 1 --json",
        ("generate-parquet",),
        "pyarrow",
    ),
    Case(
        "prepare-init",
        "prepare ../inputs/labelled.csv -o out.molvae -j 1 --init moses --label potency --json",
    ),
    Case("prepare-nothing", "prepare ../inputs/nothing.csv -o out.molvae -j 1"),
]

TRAIN = [
    Case(
        "train",
        f"train ../prepare/out.molvae -o run --epochs 2 --measure {SMALL}",
        ("prepare",),
    ),
    Case(
        "train-labels",
        f"train ../prepare-labels/out.molvae -o run --epochs 5 --no-measure {SMALL}"
        " --noise-conditional",
        ("prepare-labels",),
    ),
    Case(
        "train-interrupted",
        f"train ../prepare-labels/out.molvae -o run --epochs 5 --no-measure {SMALL}"
        " --noise-conditional",
        ("prepare-labels",),
        interrupted=True,
    ),
    Case(
        "train-adamw",
        f"train ../prepare-scaffold/out.molvae -o run --epochs 2 --no-measure {SMALL}"
        " --optimizer adamw --accumulate 2 --no-film --dropout 0.1 --decoder-layers 2"
        " --prior standard --free-nats 2 --ema 0.9 --beta 0.5 --patience 1",
        ("prepare-scaffold",),
    ),
    Case(
        "train-bf16",
        f"train ../prepare-scaffold/out.molvae -o run --epochs 1 --no-measure {SMALL}"
        " --precision bf16",
        ("prepare-scaffold",),
    ),
    Case(
        "train-init",
        "train ../prepare-init/out.molvae -o run --init moses --epochs 1 --no-measure"
        " --precision fp32 --device cpu --threads 1 --seed 5 --batch-size 64",
        ("prepare-init",),
    ),
    Case(
        "generate-class",
        "generate ../train-labels/run -n 4 --seed 1 -j 1 -t activity=active -t potency=6"
        " --max-tries 50",
        ("train-labels",),
    ),
    Case(
        "generate-classes",
        "generate ../train-labels/run -n 8 --seed 2 -j 1 -t 'activity=inactive|active' --json"
        " --tier raw",
        ("train-labels",),
    ),
    Case(
        "generate-tiny",
        "generate ../train/run -n 8 --seed 3 -j 1 --tier raw --guidance 1",
        ("train",),
    ),
    Case(
        "generate-adamw",
        "generate ../train-adamw/run -n 8 --seed 4 -j 1 --tier raw -t MW=300",
        ("train-adamw",),
    ),
    Case("score-tiny", "score ../inputs/few.csv ../train-adamw/run -j 1", ("train-adamw",)),
    Case("info-dataset", "info ../prepare-labels/out.molvae --json", ("prepare-labels",)),
    Case("info-tiny", "info ../train-labels/run --json", ("train-labels",)),
]

SETS = "--training ../inputs/training.csv --test ../inputs/test.csv"
JUDGE = [
    Case("evaluate", f"evaluate ../inputs/generated.csv -j 1 --json {SETS}"),
    Case(
        "evaluate-targets",
        "evaluate ../generate-table/stdout.csv -j 1 --training moses --json",
        ("generate-table",),
    ),
    Case(
        "evaluate-bootstrap",
        f"evaluate ../inputs/generated.csv -j 1 --json --bootstrap 50 --memorization {SETS}",
    ),
    Case(
        "evaluate-moses",
        f"evaluate ../inputs/generated.csv --suite moses --no-fcd -j 1 --json {SETS}"
        " --test-scaffolds ../inputs/few.csv",
    ),
    Case(
        "evaluate-guacamol",
        f"evaluate ../inputs/generated.csv --suite guacamol --no-fcd -j 1 --json {SETS}",
    ),
    Case(
        "benchmark-control",
        "benchmark control -n 2 --joint 20 --only single --only joint --seed 3 -j 1 --json"
        f" --shortlist 1 {SETS}",
    ),
    Case(
        "benchmark-control-table",
        "benchmark control --generated ../generate-table/stdout.csv --json -j 1",
        ("generate-table",),
    ),
    Case("benchmark-reconstruction", f"benchmark reconstruction -n 100 -j 1 --json {SETS}"),
    Case(
        "benchmark-moses",
        f"benchmark moses druglike -n 60 --seeds 1,2 --no-fcd -j 1 --json {SETS}"
        " --test-scaffolds ../inputs/few.csv",
    ),
    Case(
        "benchmark-guacamol",
        "benchmark guacamol --generated ../inputs/generated.csv --no-fcd -j 1 --json"
        " --training ../inputs/training.csv",
    ),
    Case("info", "info druglike --json"),
    Case("info-moses", "info moses --json"),
    Case("models", "models --json"),
    Case("properties", "properties --json"),
    Case("data", "data list --json"),
]

CASES = {case.name: case for case in [*GENERATE, *LATENT, *PREPARE, *TRAIN, *JUDGE]}
