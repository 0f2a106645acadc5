# The paper's search: 512 random networks, 20 generations of 128 mutants and 128 crossovers, 20M to 180M OPs.
_base_ = '../supernet/nasbnn-supernet_8xb64-512e_in1k-224.py'

train_cfg = dict(
    _delete_=True,
    type='nasbnn_det.EvolutionSearchLoop',
    supernet='work_dirs/nasbnn-supernet_8xb64-512e_in1k-224/epoch_512.pth',
    ops_range=(20, 180),
    input_size=(224, 224),
    recalibration_batches=10,
    evolution=dict(num_random=512, num_mutants=128, num_crossovers=128, generations=20, mutation_probability=0.2,
                   bucket=2e6),
    seed=0)
# Recalibration sees what the network will see: no augmentation.
train_dataloader = dict(batch_size=2048, dataset=dict(pipeline=_base_.test_pipeline))
