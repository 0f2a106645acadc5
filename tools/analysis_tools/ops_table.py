"""Writes the table of all detector configs, counted as get_ops.py counts, into their README."""
import argparse
from pathlib import Path
from typing import Any, Dict, List

from mmengine.config import Config

from nasbnn_det.cli import run_tool
from nasbnn_det.costs.report import build_model, input_size, report_model
from nasbnn_det.files import replace_text

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = '<!-- table: tools/analysis_tools/ops_table.py -->', '<!-- end of table -->'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--configs', default=str(ROOT / 'configs/detection'), help='folder of the configs')
    parser.add_argument('--readme', default=str(ROOT / 'configs/detection/README.md'),
                        help='file with the two lines between which the table stands')
    return parser.parse_args()


def find_configs(folder: Path) -> List[Path]:
    """Configs of binary detectors, by detector and name; a twin stands in the row of its detector."""
    return sorted(p for p in folder.rglob('*.py') if '-fp_' not in p.name)


def count(config: Path) -> Dict[str, Any]:
    cfg = Config.fromfile(config)
    return report_model(build_model(cfg), input_size(cfg))


def row(config: Path, folder: Path) -> str:
    report = count(config)
    name, (height, width), params = config.relative_to(folder), report['input_size'], report['params']
    method, backbone, schedule = config.name.split('_', 2)
    twin = config.with_name(f'{method}_{backbone}-fp_{schedule}')
    twin_ops = f"{count(twin)['ops'] / 1e6:,.0f}" if twin.is_file() else ''
    sizes = ' | '.join([f"{params['1bit'] / 1e6:.2f}", f"{params['8bit'] / 1e6:.3f}", f"{params['32bit'] / 1e6:.3f}",
                        f"{report['packed_bytes'] / 1e6:.2f}"])
    return (f"| [{config.stem}]({name.as_posix()}) | {height} x {width} | {report['flops'] / 1e6:,.1f} | "
            f"{report['bops'] / 1e6:,.0f} | {report['ops'] / 1e6:,.1f} | {sizes} | {twin_ops} |")


def table(folder: Path) -> str:
    """The table in Markdown."""
    lines = ['| config | input | FLOPs (M) | BOPs (M) | OPs (M) | 1-bit (M) | 8-bit (M) | 32-bit (M) | packed (MB) | '
             "twin's OPs (M) |", '|---' * 10 + '|']
    return '\n'.join(lines + [row(config, folder) for config in find_configs(folder)])


def main() -> None:
    args = parse_args()
    readme = Path(args.readme)
    text = readme.read_text(encoding='utf-8')
    if BEGIN not in text or END not in text:
        raise ValueError(f"'{readme}' has no place for the table; it needs the lines '{BEGIN}' and '{END}'")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    replace_text(readme, f'{before}{BEGIN}\n\n{table(Path(args.configs))}\n\n{END}{after}')
    print(f'written: {readme}')


if __name__ == '__main__':
    run_tool(main)
