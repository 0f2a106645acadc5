# The paper's numbers of candidates in the space 'small'. Let val_dataloader hold out a part of the training images
# (tools/dataset_converters/hold_out.py); the validation images are for what was found.
_base_ = '../supernet/nasbnn-supernet-small_1xb128-14e_imagefolder-64.py'

train_cfg = dict(
    _delete_=True,
    type='nasbnn_det.EvolutionSearchLoop',
    supernet='work_dirs/nasbnn-supernet-small_1xb128-14e_imagefolder-64/epoch_14.pth',
    ops_range=(0.3, 4.2),
    input_size=(64, 64),
    recalibration_batches=10,
    packed=True,
    evolution=dict(num_random=512, num_mutants=128, num_crossovers=128, generations=20, mutation_probability=0.2,
                   bucket=0.1e6),
    seed=0)
custom_hooks = []
# Recalibration sees what the network will see: no augmentation.
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=_base_.test_pipeline))
