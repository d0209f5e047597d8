#!/usr/bin/env python3
"""The JSON schema of experiment files: experiments/schema.json is what the program prints, every experiment names it in
its first line and is valid by it, and files that a run would refuse are not.

    tests/experiment/schema_test.py PROGRAM

Validation takes the packages python3-jsonschema and python3-yaml; without them all the rest is tested, and the status is
77, which says that something was skipped.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "experiments" / "schema.json"
# Folders of finished runs hold files as the program wrote them.
EXPERIMENTS = sorted(path for path in ROOT.glob("experiments/**/*.yaml")
                     if path.name not in ("experiment.yaml", "kernels.yaml"))

WHOLE = """
workers: 4
max_samples: 2e4
dataset: {name: synthetic, partition: dirichlet, alpha: 0.1}
model: {name: resnet, depth: 20}
learning_rate: {name: cosine, peak: 0.1}
sync_interval: {H: 4}
batch_size: {initial: 32, max: 256}
batch_size_controller: {name: norm_test, eta: 0.9}
shadow_controllers: [{name: inner_product_test, theta: 0.9}]
communication: {parameters: top_k, share: 0.1}
proximal_term: {mu: 0.1}
"""
SWEEP = WHOLE + """
sweep:
  schedule:
    constant: {batch_size.initial: 64, batch_size_controller: {name: fixed}}
    test: {batch_size_controller.eta: 0.5}
  seed: [1, 2]
"""
SWEPT_PEAK = """
max_samples: 100
dataset: {name: synthetic}
sweep: [{learning_rate.peak: [0.1, 0.2]}]
"""
PROBLEM = "max_samples: 100\nproblem: {name: quadratic}\nlearning_rate: {peak: 0.1}\n"
TEXT = """
max_samples: 100
dataset: {name: text, root: data/novels, sequence_length: 64, partition: shards, shards_per_worker: 1}
learning_rate: {peak: 0.1}
"""
GOOD = {"whole": WHOLE, "sweep": SWEEP, "swept peak": SWEPT_PEAK, "problem": PROBLEM, "text": TEXT}

# What is wrong, the file that it is done to, what is replaced and by what.
BROKEN = [
    ("a misspelt key of the file", WHOLE, "workers:", "wokers:"),
    ("a misspelt key of a part", WHOLE, "max: 256", "maxx: 256"),
    ("a word for an integer", WHOLE, "workers: 4", "workers: four"),
    ("a fraction for an integer", WHOLE, "workers: 4", "workers: 4.5"),
    ("a number for a part", WHOLE, "{H: 4}", "4"),
    ("a number out of range", WHOLE, "eta: 0.9", "eta: 0"),
    ("an unknown name of a part", WHOLE, "norm_test", "norm_tset"),
    ("a key of another controller", WHOLE, "eta: 0.9", "theta: 0.9"),
    ("a key of a controller that is not named", WHOLE, "name: norm_test, ", ""),
    ("a key of another partition", WHOLE, "partition: dirichlet", "partition: iid"),
    ("a partition without its key", WHOLE, ", alpha: 0.1", ""),
    ("a share of what travels as a whole", WHOLE, "parameters: top_k", "parameters: int8"),
    ("a share of what travels as a whole by default", WHOLE, "parameters: top_k, ", ""),
    ("a share out of range", WHOLE, "share: 0.1", "share: 0.6"),
    ("a proximal term without its factor", WHOLE, "{mu: 0.1}", "{}"),
    ("an unknown choice", WHOLE, "workers: 4", "precision: f16"),
    ("no budget", WHOLE, "max_samples: 2e4", ""),
    ("no learning rate", WHOLE, "learning_rate: {name: cosine, peak: 0.1}", ""),
    ("no data set", WHOLE, "dataset: {name: synthetic, partition: dirichlet, alpha: 0.1}", ""),
    ("a shadow without a name", WHOLE, "name: inner_product_test, theta: 0.9", "theta: 0.9"),
    ("a model of a problem without one", PROBLEM, "max_samples", "model: {name: mlp}\nmax_samples"),
    ("a micro-batch of such a problem", PROBLEM, "max_samples", "batch_size: {micro_batch: 8}\nmax_samples"),
    ("a text without the length of its windows", TEXT, ", sequence_length: 64", ""),
    ("a partition by classes of a text", TEXT, "partition: shards, shards_per_worker: 1", "partition: by_class"),
    ("a key of tokens for a text", TEXT, "root: data/novels", "root: data/novels, vocabulary_size: 50257"),
    ("a misspelt axis of a sweep", SWEEP, "seed: [1, 2]", "sed: [1, 2]"),
    ("a value out of range in a sweep", SWEEP, "eta: 0.5", "eta: -1"),
    ("an axis without values", SWEEP, "[1, 2]", "[]"),
]


def describe(program, *arguments):
    return subprocess.run([program, "describe", *arguments], capture_output=True, text=True)


def check(condition, what):
    if not condition:
        sys.exit(f"schema_test: {what}")


def core_loader(yaml):
    """YAML 1.2's core schema, as editors and the program read it: 1e5 is a number, 'yes' a word."""
    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {}

    for tag, pattern, first in [
            ("null", r"~|null|Null|NULL|", "~nN"), ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
            ("int", "[-+]?[0-9]+", "-+0123456789"),
            ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789")]:
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))
    return Loader


def check_files(program):
    check(describe(program, "--json-schema").stdout == SCHEMA.read_text(encoding="utf-8"),
          "experiments/schema.json is not what the program prints; "
          "'localbatch describe --json-schema > experiments/schema.json' makes it")
    check(len(EXPERIMENTS) > 40, f"found {len(EXPERIMENTS)} experiments")
    for path in EXPERIMENTS:
        up = "../" * (len(path.relative_to(SCHEMA.parent).parts) - 1)
        first = path.read_text(encoding="utf-8").splitlines()[0]
        check(first == f"# yaml-language-server: $schema={up}schema.json", f"{path}: its first line is '{first}'")


def check_the_program_agrees(program):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "file.yaml"

        def accepts(text):
            file.write_text(text, encoding="utf-8")
            return all(describe(program, str(file), "--resolved", "--cell", str(cell)).returncode == 0
                       for cell in range(1, 5 if "schedule" in text else 2))

        for name, text in GOOD.items():
            check(accepts(text), f"the program refuses '{name}'")
        for what, text, old, new in BROKEN:
            check(old in text, f"'{what}' breaks nothing")
            check(not accepts(text.replace(old, new)), f"the program accepts {what}")


def check_validity(program, validator, load):
    def errors(text):
        return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
                for error in validator.iter_errors(load(text))]

    for path in EXPERIMENTS:
        check(not errors(path.read_text(encoding="utf-8")), f"{path}: {errors(path.read_text(encoding='utf-8'))}")
        resolved = describe(program, str(path), "--resolved").stdout
        check(resolved and not errors(resolved), f"{path}, resolved: {errors(resolved)}")
    for name, text in GOOD.items():
        check(not errors(text), f"'{name}': {errors(text)}")
    for what, text, old, new in BROKEN:
        check(errors(text.replace(old, new)), f"the schema accepts {what}")
    print(f"{len(EXPERIMENTS)} experiments are valid, {len(BROKEN)} broken ones are not")


def main():
    program = sys.argv[1]
    check_files(program)
    check_the_program_agrees(program)
    try:
        import jsonschema
        import yaml
    except ImportError as error:
        print(f"schema_test: {error}: validation by python3-jsonschema and python3-yaml is skipped")
        sys.exit(77)
    import json
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    loader = core_loader(yaml)
    check_validity(program, jsonschema.Draft7Validator(schema), lambda text: yaml.load(text, Loader=loader))


if __name__ == "__main__":
    main()
