# Searches the supernet of ../supernet. Give its checkpoint:
#   --cfg-options train_cfg.supernet=work_dirs/.../epoch_3.pth
_base_ = '../supernet/nasbnn-supernet-tiny_1xb32-3e_shapes-48.py'

train_cfg = dict(
    _delete_=True,
    type='nasbnn_det.EvolutionSearchLoop',
    supernet='work_dirs/nasbnn-supernet-tiny_1xb32-3e_shapes-48/epoch_3.pth',
    ops_range=(0.15, 0.4),
    input_size=(48, 48),
    recalibration_batches=10,
    evolution=dict(num_random=16, num_mutants=4, num_crossovers=4, generations=2, bucket=0.05e6),
    seed=0)
# Recalibration sees what the network will see: no augmentation.
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=_base_.test_pipeline))
