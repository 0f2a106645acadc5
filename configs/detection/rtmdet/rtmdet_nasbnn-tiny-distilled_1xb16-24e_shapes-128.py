# Distilled from its twin, which is trained before. The checkpoint is evaluated by the config without distillation.
_base_ = './rtmdet_nasbnn-tiny_1xb16-24e_shapes-128.py'

model = dict(
    type='nasbnn_det.DistilledSingleStageDetector',
    teacher_config='{{ fileDirname }}/rtmdet_nasbnn-tiny-fp_1xb16-24e_shapes-128.py',
    teacher_ckpt='work_dirs/twin/epoch_24.pth')
