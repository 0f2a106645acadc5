_base_ = '../supernet/nasbnn-supernet-cifar_1xb128-300e_cifar10-32.py'

train_cfg = dict(
    _delete_=True,
    type='nasbnn_det.EvolutionSearchLoop',
    supernet='work_dirs/nasbnn-supernet-cifar_1xb128-300e_cifar10-32/epoch_300.pth',
    ops_range=(2, 12),
    input_size=(32, 32),
    recalibration_batches=10,
    evolution=dict(num_random=256, num_mutants=64, num_crossovers=64, generations=10, bucket=0.25e6),
    seed=0)
# Recalibration sees what the network will see: no augmentation.
train_dataloader = dict(batch_size=1024, dataset=dict(pipeline=_base_.test_pipeline))
