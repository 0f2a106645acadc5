"""Runs the stages of a pipeline config in order: skips finished ones, continues a broken one, writes a report."""
import argparse
from pathlib import Path

from nasbnn_det.cli import read_config, run_tool
from nasbnn_det.pipeline import as_text, load_stages, run_pipeline, write_report

ROOT = Path(__file__).resolve().parent.parent


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='pipeline config file path')
    parser.add_argument('--work-dir', help='folder for all stages; by default work_dirs/<config name>')
    parser.add_argument('--data-root', help='what {data_root} in the config stands for; by default as the config says')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = read_config(args.config)
    work_dir = Path(args.work_dir or Path('work_dirs') / Path(args.config).stem).resolve()
    data_root = str(Path(args.data_root or cfg.get('data_root', 'data')).resolve())
    records = run_pipeline(load_stages(cfg.get('stages')), ROOT, work_dir, data_root)
    report = write_report(records, work_dir)
    seconds = sum(record['seconds'] for record in records)
    print(f'all {len(records)} stages done, {seconds / 60:.1f} minutes')
    for record in records:
        for name in record['files']:
            if name.endswith('.png'):
                print(f'picture: {work_dir / name}')
            elif name.endswith('.safetensors'):
                print(f'packed:  {work_dir / name}: {as_text(record["metrics"])}')
    print(f'report:  {report}')


if __name__ == '__main__':
    run_tool(main)
