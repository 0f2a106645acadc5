# Distilled from its twin, which is trained before. The checkpoint is evaluated by the config without distillation.
_base_ = './rtmdet_nasbnn-57m_8xb16-100e_coco-416.py'

model = dict(
    type='nasbnn_det.DistilledSingleStageDetector',
    teacher_config='{{ fileDirname }}/rtmdet_nasbnn-57m-fp_8xb16-100e_coco-416.py',
    teacher_ckpt='work_dirs/twin/epoch_100.pth')
